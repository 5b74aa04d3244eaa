package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// dialTimeout bounds the connection and the TLS handshake, each.
const dialTimeout = 15 * time.Second

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// session is a client at one repository of one host: the credentials there, the
// tokens got for them, and whether https or http is spoken.
type session struct {
	c    *Client
	ep   endpoint
	http *http.Client

	mu        sync.Mutex
	scheme    string // empty: not known yet
	challenge *challenge
	auth      *authn.AuthConfig // nil: not looked up yet
	tokens    map[string]token
	// asked are scopes that the registry named beyond those that were asked for.
	asked map[string]string
	// withheld is the token server that was asked without the credentials there are.
	withheld string
}

func newSession(c *Client, ep endpoint) *session {
	s := &session{c: c, ep: ep, tokens: map[string]token{}, asked: map[string]string{}}
	s.http = &http.Client{Transport: sessionTransport{s}, CheckRedirect: checkRedirect}
	return s
}

// call is a request that can be made again.
type call struct {
	op, object string
	method     string
	path       string // below /v2/
	query      url.Values
	url        *url.URL // in place of path and query: where an upload goes on
	header     http.Header
	body       func() io.ReadCloser // nil: none
	length     int64
	scopes     []string
	want       []int // statuses that are no refusal
	// once makes a single attempt: its caller knows better how to go on.
	once bool
}

// send makes a request until it gets one of the wanted answers or a refusal that
// counts. The caller closes the body.
func (s *session) send(ctx context.Context, q call) (*http.Response, error) {
	for n := 1; ; n++ {
		resp, err := s.try(ctx, q)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if q.once || n >= s.attempts() || !retryError(err) {
			return nil, err
		}
		var refused *Error
		after := time.Duration(0)
		if errors.As(err, &refused) {
			after = refused.after
		}
		if after > s.c.o.MaxWait {
			return nil, tooLong(err, after)
		}
		s.c.o.Notice(fmt.Sprintf("%v; trying again", err))
		if err := s.c.pause(ctx, n, after); err != nil {
			return nil, err
		}
	}
}

// attempts is how often something is tried here: at a mirror less often, because
// there is another place to ask.
func (s *session) attempts() int {
	if s.ep.mirror {
		return min(2, s.c.o.Attempts)
	}
	return s.c.o.Attempts
}

// try makes one attempt, which may be several requests: an answer may say which
// token is missing, or that one has ended.
func (s *session) try(ctx context.Context, q call) (*http.Response, error) {
	scheme, err := s.speak(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", q.op, q.object, err)
	}
	for round := 1; ; round++ {
		header, fresh, err := s.authorization(ctx, scheme, q.scopes)
		if err != nil {
			return nil, err
		}
		resp, err := s.request(ctx, q, scheme, header)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", q.op, q.object, err)
		}
		if slices.Contains(q.want, resp.StatusCode) {
			return resp, nil
		}
		if round < 4 && resp.StatusCode == http.StatusUnauthorized && s.own(resp.Request.URL) && s.learn(resp, header, fresh, q.scopes) {
			drop(resp)
			continue
		}
		refused := refusal(q.op, q.object, resp)
		if s.own(resp.Request.URL) {
			s.explain(refused)
		}
		return nil, refused
	}
}

// explain adds who could log in where.
func (s *session) explain(e *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.auth != nil && *s.auth != authn.AuthConfig{}
	switch {
	case s.withheld != "" && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		e.hint = fmt.Sprintf("the credentials for %s were not sent to its token server %s, which is of another domain; token-realms in registries.toml permits it", s.ep.name, s.withheld)
	case !known || e.Status == http.StatusUnauthorized:
		e.Login = s.ep.name
	}
}

// request sends one request. The answer's body is watched and must be closed.
func (s *session) request(ctx context.Context, q call, scheme, authorization string) (*http.Response, error) {
	u := q.url
	if u == nil {
		u = &url.URL{Scheme: scheme, Host: s.ep.host, Path: "/v2/" + q.path, RawQuery: q.query.Encode()}
	}
	ctx, w := newWatch(context.WithValue(ctx, authorizationKey{}, authorization), s.c.o.Silence)
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), nil)
	if err != nil {
		w.end()
		return nil, err
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", s.c.o.UserAgent)
	if q.body != nil {
		req.ContentLength = q.length
		req.GetBody = func() (io.ReadCloser, error) { return &watchedUpload{q.body(), w}, nil }
		req.Body = &watchedUpload{q.body(), w}
	}
	resp, err := s.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		w.end()
		return nil, plainError(err)
	}
	w.rest()
	resp.Body = &watchedBody{ReadCloser: resp.Body, ctx: ctx, w: w}
	return resp, nil
}

// authorizationKey carries the Authorization of a request to sessionTransport. It
// is not in the request's headers because http.Client copies those to the places
// that it is redirected to.
type authorizationKey struct{}

// sessionTransport adds the credentials to requests for the session's own host.
type sessionTransport struct{ s *session }

// RoundTrip sends a request, with the credentials if it goes to the own host.
func (t sessionTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	value, _ := req.Context().Value(authorizationKey{}).(string)
	if value != "" && t.s.own(req.URL) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", value)
	}
	return t.s.c.hosts.RoundTrip(req)
}

// own tells the URLs that credentials may go to: the registry itself, on the
// scheme that was found to be spoken there.
func (s *session) own(u *url.URL) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.Host == s.ep.host && u.Scheme == s.scheme
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("%w: there are more than %d", errRedirect, maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: from https to %s://%s", errRedirect, clean(req.URL.Scheme), clean(req.URL.Host))
	}
	return nil
}

// speak finds out whether the host speaks https or http, where both are permitted.
func (s *session) speak(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.scheme != "":
	case s.ep.plainHTTP:
		s.scheme = "http"
	case s.ep.insecure || isLoopback(s.ep.host):
		scheme, err := s.probe(ctx)
		if err != nil {
			return "", err
		}
		s.scheme = scheme
	default:
		s.scheme = "https"
	}
	return s.scheme, nil
}

// probe tries https. Only a peer that does not speak TLS is asked over http; one
// whose certificate is wrong is not, that would be the way around the check.
func (s *session) probe(ctx context.Context) (string, error) {
	ctx, w := newWatch(ctx, s.c.o.Silence)
	defer w.end()
	// A peer that ends the connection behind the handshake, because it misses a
	// client's certificate, does speak TLS.
	var shaken atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { shaken.Store(err == nil) },
	})
	req, err := http.NewRequestWithContext(traced, http.MethodGet, "https://"+s.ep.host+"/v2/", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", s.c.o.UserAgent)
	resp, err := s.c.hosts.RoundTrip(req)
	switch {
	case err == nil:
		drop(resp)
		return "https", nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case shaken.Load():
		return "https", nil // the request itself meets the error
	case noTLS(err):
		return "http", nil
	}
	return "", plainError(err)
}

// noTLS tells a peer that does not speak TLS: it answers with something else, or
// hangs up.
func noTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// plainError drops the method and the URL that net/http puts before its errors: the
// operation is named already, and URLs of blobs are signed.
func plainError(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case tlsAlert(err):
		return &hinted{err, "if the registry wants a client certificate, put it into /etc/berth/certs.d/HOST as NAME.cert and NAME.key"}
	case errors.As(err, &verify):
		return &hinted{err, "put the authority's certificate into /etc/berth/certs.d/HOST/ca.crt, or use --tls-verify=false"}
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return &hinted{errors.New("the registry does not speak https"), "--plain-http talks to it without encryption"}
	}
	return err
}

// hinted is an error with a cure.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint is what the user may do about it.
func (e *hinted) Hint() string { return e.hint }

func isNetError(err error) bool {
	var ne net.Error
	return errors.As(err, &ne)
}

// drop reads a little of an answer that nobody wants, so that its connection can be
// used again, and closes it.
func drop(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // it only saves a connection
	_ = resp.Body.Close()                          // nothing was written
}

// pullScope is the right to read a repository.
func pullScope(repo string) string { return "repository:" + repo + ":pull" }

// pushScope is the right to read and write one.
func pushScope(repo string) string { return "repository:" + repo + ":pull,push" }

func scopeKey(scopes []string) string { return strings.Join(scopes, " ") }
