package testregistry

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// codeDenied is the code as the specification spells it.
const codeDenied = "UNAUTHORIZED" //nolint:misspell // as said

// TokenServer gives tokens for registries. It listens on a port of its own.
type TokenServer struct {
	// User and Password are who may have tokens; empty: everybody, for pulling.
	User, Password string
	// Identity is a refresh token that is as good as the password.
	Identity string
	// Anonymous lets everybody pull.
	Anonymous bool
	// ExpiresIn is the life of the tokens in seconds that is told; 0: not told.
	ExpiresIn int
	// Uses is how many requests a token is good for; 0: any number.
	Uses int
	// Realm is told in place of the server's own URL.
	Realm string
	// OAuthOnly has no GET.
	OAuthOnly bool

	server *httptest.Server
	mu     sync.Mutex
	tokens map[string]*grant
	asked  []Request
}

type grant struct {
	scopes []string
	uses   int
}

// start listens, once: several registries may share a server.
func (t *TokenServer) start(r *Registry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		return
	}
	t.tokens = map[string]*grant{}
	t.server = httptest.NewUnstartedServer(http.HandlerFunc(t.serve))
	if r.o.TLS == nil {
		t.server.Start()
		return
	}
	t.server.TLS = r.o.TLS.Clone()
	t.server.StartTLS()
}

// Close ends the server.
func (t *TokenServer) Close() {
	t.server.CloseClientConnections()
	t.server.Close()
}

// Host is where it listens.
func (t *TokenServer) Host() string { return t.server.Listener.Addr().String() }

// Requests are the requests so far.
func (t *TokenServer) Requests() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Request(nil), t.asked...)
}

// Revoke makes all tokens so far useless.
func (t *TokenServer) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = map[string]*grant{}
}

func (t *TokenServer) realm() string {
	if t.Realm != "" {
		return t.Realm
	}
	return t.server.URL + "/token"
}

func (t *TokenServer) serve(w http.ResponseWriter, req *http.Request) {
	_ = req.ParseForm() // an empty form is refused below
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = append(t.asked, Request{Method: req.Method, Path: req.URL.Path, Query: req.Form.Encode(), Header: req.Header.Clone()})
	if t.OAuthOnly && req.Method == http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	known, ok := t.who(req)
	if !ok {
		refuse(w, http.StatusUnauthorized, codeDenied)
		return
	}
	g := &grant{uses: t.Uses}
	for _, scope := range req.Form["scope"] {
		for _, one := range strings.Fields(scope) {
			if known || t.Anonymous && strings.HasSuffix(one, ":pull") {
				g.scopes = append(g.scopes, one)
			}
		}
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	value := hex.EncodeToString(raw)
	t.tokens[value] = g
	answer := map[string]any{"token": value}
	if t.ExpiresIn > 0 {
		answer["expires_in"] = t.ExpiresIn
	}
	if known && t.Identity != "" && (req.Form.Get("offline_token") == "true" || req.Form.Get("access_type") == "offline") {
		answer["refresh_token"] = t.Identity
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// who tells whether the client is known, and whether it may have a token at all.
func (t *TokenServer) who(req *http.Request) (known, ok bool) {
	if user, password, given := req.BasicAuth(); given {
		known = t.User != "" && user == t.User && password == t.Password
		return known, known
	}
	switch req.Form.Get("grant_type") {
	case "refresh_token":
		known = t.Identity != "" && req.Form.Get("refresh_token") == t.Identity
		return known, known
	case "password":
		known = req.Form.Get("username") == t.User && req.Form.Get("password") == t.Password
		return known, known
	}
	return t.User == "", t.User == "" || t.Anonymous
}

// permits tells whether a token is good for a scope.
func (t *TokenServer) permits(value, scope string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := t.tokens[value]
	if !ok {
		return false
	}
	if t.Uses > 0 {
		if g.uses == 0 {
			return false
		}
		g.uses--
	}
	if scope == "" {
		return true
	}
	i := strings.LastIndexByte(scope, ':')
	for _, s := range g.scopes {
		j := strings.LastIndexByte(s, ':')
		if j < 0 || s[:j] != scope[:i] {
			continue
		}
		actions := strings.Split(s[j+1:], ",")
		all := true
		for _, want := range strings.Split(scope[i+1:], ",") {
			all = all && (slices.Contains(actions, want) || slices.Contains(actions, "*"))
		}
		if all {
			return true
		}
	}
	return false
}

// permitted checks a request's credentials, and answers if they do not do.
func (r *Registry) permitted(w http.ResponseWriter, req *http.Request, scope string) bool {
	switch {
	case r.o.Token != nil:
		value, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		if r.o.Token.permits(value, scope) {
			return true
		}
		challenge := fmt.Sprintf(`Bearer realm=%q,service="test"`, r.o.Token.realm())
		if scope != "" {
			challenge += fmt.Sprintf(`,scope=%q`, scope)
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case r.o.User != "":
		if user, password, ok := req.BasicAuth(); ok && user == r.o.User && password == r.o.Password {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	default:
		return true
	}
	refuse(w, http.StatusUnauthorized, codeDenied)
	return false
}
