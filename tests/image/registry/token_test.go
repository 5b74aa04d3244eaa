package registry

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// tokenServer gives the tokens that docker-registry verifies: JSON web tokens signed
// by a key of the authority (distribution.github.io/distribution/spec/auth/jwt).
type tokenServer struct {
	*httptest.Server
	a      *authority
	cert   []byte
	key    *ecdsa.PrivateKey
	issued atomic.Int64
	refuse atomic.Int64 // how many requests still get 503
}

func startTokenServer(t *testing.T, a *authority) *tokenServer {
	t.Helper()
	s := &tokenServer{a: a}
	cert, key := a.issue(t, "token", &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature})
	s.cert, s.key = cert.Raw, key
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// config is for the registry's configuration.
func (s *tokenServer) config() string {
	return "auth: {token: {realm: '" + s.URL + "/token', service: test, issuer: issuer, rootcertbundle: " + s.a.path("ca.crt") + "}}\n"
}

func (s *tokenServer) serve(w http.ResponseWriter, r *http.Request) {
	if s.refuse.Add(-1) >= 0 {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	user, password, ok := r.BasicAuth()
	if ok && (user != "user" || password != "secret") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	list := []access{}
	for _, scope := range r.URL.Query()["scope"] {
		parts := strings.Split(scope, ":")
		if len(parts) != 3 {
			continue
		}
		actions := strings.Split(parts[2], ",")
		if !ok {
			actions = []string{"pull"} // what nobody is known for
		}
		list = append(list, access{parts[0], parts[1], actions})
	}
	s.issued.Add(1)
	now := time.Now().Unix()
	token := s.sign(map[string]any{"iss": "issuer", "sub": user, "aud": "test", "exp": now + 60, "nbf": now - 10, "iat": now, "jti": "x", "access": list})
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 60}) // the client may be gone
}

func (s *tokenServer) sign(claims map[string]any) string {
	header := map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(s.cert)}}
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(header) + "." + part(claims)
	hash := sha256.Sum256([]byte(text))
	r, sig, err := ecdsa.Sign(rand.Reader, s.key, hash[:])
	if err != nil {
		panic(err) // the source of randomness never fails
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	sig.FillBytes(raw[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(raw)
}
