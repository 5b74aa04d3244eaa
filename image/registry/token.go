package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxToken bounds the answer of a token server, in bytes.
const maxToken = 1 << 20

// token is a bearer token and the time from which on it is not used any more.
type token struct {
	value   string
	refresh string
	until   time.Time
}

// authorization is the header for a request of some scopes; empty when nobody has
// asked for one yet. fresh tells a token that was got just now.
func (s *session) authorization(ctx context.Context, scheme string, scopes []string) (header string, fresh bool, err error) {
	// The lock is held over the request to the token server: who comes meanwhile
	// wants the same token.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.challenge == nil {
		return "", false, nil
	}
	auth, err := s.credentials()
	if err != nil {
		return "", false, err
	}
	if s.challenge.scheme == "basic" {
		return basic(auth), false, nil
	}
	if auth.RegistryToken != "" {
		return "Bearer " + auth.RegistryToken, false, nil
	}
	key := scopeKey(scopes)
	if t, ok := s.tokens[key]; ok && time.Now().Before(t.until) {
		return "Bearer " + t.value, false, nil
	}
	if extra := s.asked[key]; extra != "" {
		scopes = append([]string{extra}, scopes...)
	}
	t, err := s.fetchToken(ctx, scheme, scopes, auth, false)
	if err != nil {
		return "", false, err
	}
	s.tokens[key] = t
	return "Bearer " + t.value, true, nil
}

// learn takes up what a 401 says. It tells whether to ask again: not if the answer
// to the challenge would be the one that was just refused. fresh says that the token
// used was got for this very request: another one would be no better, unless the
// registry wants a scope that was not asked for.
func (s *session) learn(resp *http.Response, used string, fresh bool, scopes []string) bool {
	c := pickChallenge(challenges(resp.Header))
	if c == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.challenge = c
	if c.scheme == "basic" {
		auth, err := s.credentials()
		return err != nil || basic(auth) != "" && basic(auth) != used // the error comes up when it asks again
	}
	key := scopeKey(scopes)
	if scope := c.params["scope"]; scope != "" && scope != s.asked[key] && !strings.Contains(" "+key+" ", " "+scope+" ") {
		s.asked[key] = scope
		fresh = false
	}
	if t, ok := s.tokens[key]; ok && used == "Bearer "+t.value {
		delete(s.tokens, key)
	}
	return !fresh && (s.auth == nil || s.auth.RegistryToken == "" || used == "")
}

// credentials looks them up once. s.mu is held.
func (s *session) credentials() (authn.AuthConfig, error) {
	if s.auth != nil {
		return *s.auth, nil
	}
	auth := authn.AuthConfig{}
	if s.c.o.Keychain != nil {
		found, err := s.c.o.Keychain.Resolve(resource{s.ep.name, s.ep.repo})
		if err != nil {
			return auth, fmt.Errorf("credentials for %s: %w", s.ep.name, err)
		}
		cfg, err := found.Authorization()
		if err != nil {
			return auth, fmt.Errorf("credentials for %s: %w", s.ep.name, err)
		}
		auth = *cfg
	}
	s.auth = &auth
	return auth, nil
}

func basic(auth authn.AuthConfig) string {
	switch {
	case auth.Username != "" && auth.Password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(auth.Username+":"+auth.Password))
	case auth.Auth != "":
		return "Basic " + auth.Auth
	}
	return ""
}

// fetchToken asks the token server that the challenge names. s.mu is held. offline
// asks for an identity token besides.
func (s *session) fetchToken(ctx context.Context, scheme string, scopes []string, auth authn.AuthConfig, offline bool) (token, error) {
	r, err := checkRealm(s.challenge.params["realm"], scheme, s.ep)
	if err != nil {
		return token{}, &badAnswer{fmt.Errorf("registry %s: %w", s.ep.name, err)}
	}
	s.withheld = ""
	if !r.trusted && auth != (authn.AuthConfig{}) {
		s.withheld = r.url.Host
		auth = authn.AuthConfig{}
	}
	t := tokenRequest{s: s, realm: r.url, service: s.challenge.params["service"], scopes: scopes, offline: offline}
	if auth.IdentityToken != "" {
		return t.post(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {auth.IdentityToken}})
	}
	got, err := t.get(ctx, auth)
	if noGet(err) && auth.Username != "" {
		return t.post(ctx, url.Values{"grant_type": {"password"}, "username": {auth.Username}, "password": {auth.Password}})
	}
	return got, err
}

// noGet tells a token server that has the OAuth flow alone.
func noGet(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed)
}

// tokenRequest is a question to a token server
// (distribution.github.io/distribution/spec/auth/token and oauth).
type tokenRequest struct {
	s       *session
	realm   *url.URL
	service string
	scopes  []string
	offline bool
}

func (t tokenRequest) get(ctx context.Context, auth authn.AuthConfig) (token, error) {
	u := *t.realm
	query := u.Query()
	if t.service != "" {
		query.Set("service", t.service)
	}
	for _, scope := range t.scopes {
		query.Add("scope", scope)
	}
	if auth.Username != "" {
		query.Set("account", auth.Username)
	}
	if t.offline {
		query.Set("offline_token", "true")
		query.Set("client_id", t.s.c.o.UserAgent)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return token{}, err
	}
	return t.do(ctx, req, basic(auth))
}

func (t tokenRequest) post(ctx context.Context, form url.Values) (token, error) {
	if t.service != "" {
		form.Set("service", t.service)
	}
	form.Set("client_id", t.s.c.o.UserAgent)
	form.Set("scope", scopeKey(t.scopes))
	if t.offline {
		form.Set("access_type", "offline")
	}
	req, err := http.NewRequest(http.MethodPost, t.realm.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return t.do(ctx, req, "")
}

func (t tokenRequest) do(ctx context.Context, req *http.Request, authorization string) (token, error) {
	ctx, w := newWatch(ctx, t.s.c.o.Silence)
	defer w.end()
	req = req.WithContext(ctx)
	req.Header.Set("User-Agent", t.s.c.o.UserAgent)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{Transport: t.s.c.tokenTransport(t.s.ep, t.realm), CheckRedirect: sameServer}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return token{}, fmt.Errorf("log in to %s: token server %s: %w", t.s.ep.name, t.realm.Host, plainError(err))
	}
	if resp.StatusCode != http.StatusOK {
		e := refusal("log in to "+t.s.ep.name+": token server", t.realm.Host, resp)
		e.Login = t.s.ep.name
		return token{}, e
	}
	defer resp.Body.Close() // only read
	raw, err := readAnswer(resp, maxToken)
	if err != nil {
		return token{}, fmt.Errorf("log in to %s: token server %s: %w", t.s.ep.name, t.realm.Host, err)
	}
	return parseToken(raw, time.Now())
}

// sameServer keeps the credentials in a request, its headers or its form, with the
// server they were meant for.
func sameServer(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects || req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
		return fmt.Errorf("%w: a token server may not send clients to %s", errRedirect, clean(req.URL.Host))
	}
	return nil
}

// tokenTransport permits plain http to a token server where the registry has it.
func (c *Client) tokenTransport(ep endpoint, server *url.URL) http.RoundTripper {
	if hostname(server.Host) == hostname(ep.host) {
		ep.host = server.Host
		c.hosts.permitToken(ep)
	} else if server.Scheme == "http" && ep.plainHTTP {
		c.hosts.permitToken(endpoint{host: server.Host, plainHTTP: true})
	}
	return c.hosts
}

// permitToken is permit for a host that has no settings of its own yet.
func (h *hosts) permitToken(ep endpoint) {
	h.mu.Lock()
	_, known := h.trust[ep.host]
	h.mu.Unlock()
	if !known {
		h.permit(ep)
	}
}

// parseToken reads the answer of a token server. A token without a time lives a
// minute, as the specification says.
func parseToken(raw []byte, now time.Time) (token, error) {
	var answer struct {
		Token        string `json:"token"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int64  `json:"expires_in"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return token{}, bad("token server: its answer is not what it should be: %w", err)
	}
	if answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	if answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n\x00") {
		return token{}, bad("token server: its answer holds no token")
	}
	life := time.Duration(min(max(answer.ExpiresIn, 0), 86400)) * time.Second
	if life == 0 {
		life = time.Minute
	}
	// Not used to its last second: the clocks differ, and the request takes time.
	life -= min(life/4, 15*time.Second)
	return token{value: answer.Token, refresh: answer.RefreshToken, until: now.Add(life)}, nil
}
