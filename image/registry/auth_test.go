package registry_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"berth/image/registry"
	"berth/image/registry/testregistry"
)

// keys is a keychain in memory, which notes what it is asked for.
type keys struct {
	mu    sync.Mutex
	auth  map[string]authn.AuthConfig
	asked []string
}

// Resolve finds the credentials of a host.
func (k *keys) Resolve(r authn.Resource) (authn.Authenticator, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, r.RegistryStr())
	return authn.FromConfig(k.auth[r.RegistryStr()]), nil
}

func keysFor(host string, auth authn.AuthConfig) *keys {
	return &keys{auth: map[string]authn.AuthConfig{host: auth}}
}

func TestBasic(t *testing.T) {
	r := start(t, testregistry.Options{User: "user", Password: "secret"})
	_, layer := someImage(r, "team/app", "v1", noise(1000))
	name := ref(t, r.Ref("team/app", "v1"))
	c := client(t, registry.Options{Keychain: keysFor(r.Host(), authn.AuthConfig{Username: "user", Password: "secret"})})
	if _, _, err := c.Resolve(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	if _, err := readBlob(t, c, name, layer, 0); err != nil {
		t.Fatal(err)
	}
	// Asked once for what is needed, then known.
	if n := len(r.Requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}

	for title, auth := range map[string]authn.AuthConfig{"none": {}, "wrong": {Username: "user", Password: "x"}} {
		_, _, err := client(t, registry.Options{Keychain: keysFor(r.Host(), auth)}).Resolve(context.Background(), name)
		var refused *registry.Error
		if !errors.Is(err, registry.ErrDenied) || !errors.As(err, &refused) || refused.Hint() != "berth login "+r.Host() {
			t.Errorf("%s: %v", title, err)
		}
	}
}

func TestToken(t *testing.T) {
	tokens := &testregistry.TokenServer{User: "user", Password: "secret", Anonymous: true}
	r := start(t, testregistry.Options{Token: tokens})
	_, layer := someImage(r, "team/app", "v1", noise(1000))
	name := ref(t, r.Ref("team/app", "v1"))
	for title, auth := range map[string]authn.AuthConfig{"anonymous": {}, "user": {Username: "user", Password: "secret"}} {
		c := client(t, registry.Options{Keychain: keysFor(r.Host(), auth)})
		before := len(tokens.Requests())
		if _, _, err := c.Resolve(context.Background(), name); err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if _, err := readBlob(t, c, name, layer, 0); err != nil {
					t.Errorf("%s: %v", title, err)
				}
			}()
		}
		wg.Wait()
		if n := len(tokens.Requests()) - before; n != 1 {
			t.Errorf("%s: %d tokens for one repository", title, n)
		}
		// The token is gone in the middle: a new one is got, once.
		tokens.Revoke()
		if _, err := readBlob(t, c, name, layer, 0); err != nil {
			t.Errorf("%s, revoked: %v", title, err)
		}
	}
	_, _, err := client(t, registry.Options{Keychain: keysFor(r.Host(), authn.AuthConfig{Username: "user", Password: "x"})}).Resolve(context.Background(), name)
	if !errors.Is(err, registry.ErrDenied) || !strings.Contains(err.Error(), "token server") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestTokensThatExpire(t *testing.T) {
	tokens := &testregistry.TokenServer{User: "user", Password: "secret", Uses: 8}
	r := start(t, testregistry.Options{Token: tokens})
	raw := noise(1000)
	_, layer := someImage(r, "team/app", "v1", raw)
	c := client(t, registry.Options{Keychain: keysFor(r.Host(), authn.AuthConfig{Username: "user", Password: "secret"})})
	for range 20 {
		if got, err := readBlob(t, c, ref(t, r.Ref("team/app", "v1")), layer, 0); err != nil || !bytes.Equal(got, raw) {
			t.Fatal(err)
		}
	}
	// A push goes on when its token ends in the middle of it.
	push(t, c, r, "other/app", registry.Options{})
}

func TestIdentityToken(t *testing.T) {
	for _, oauthOnly := range []bool{false, true} {
		tokens := &testregistry.TokenServer{User: "user", Password: "secret", Identity: "refresh-me", OAuthOnly: oauthOnly}
		r := start(t, testregistry.Options{Token: tokens})
		someImage(r, "team/app", "v1", noise(10))
		name := ref(t, r.Ref("team/app", "v1"))
		got, err := client(t, registry.Options{}).Login(context.Background(), r.Host(), "user", "secret")
		if err != nil || got.IdentityToken != "refresh-me" || got.Password != "" {
			t.Fatalf("login: %+v, %v", got, err)
		}
		c := client(t, registry.Options{Keychain: keysFor(r.Host(), got)})
		if _, _, err := c.Resolve(context.Background(), name); err != nil {
			t.Error(err)
		}
		for _, q := range tokens.Requests() {
			if q.Method == http.MethodPost && !strings.Contains(q.Query, "service=test") {
				t.Errorf("token asked with %s", q.Query)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	for title, r := range map[string]*testregistry.Registry{
		"basic": start(t, testregistry.Options{User: "user", Password: "secret"}),
		"token": start(t, testregistry.Options{Token: &testregistry.TokenServer{User: "user", Password: "secret"}}),
	} {
		got, err := client(t, registry.Options{}).Login(context.Background(), r.Host(), "user", "secret")
		if err != nil || got != (authn.AuthConfig{Username: "user", Password: "secret"}) {
			t.Errorf("%s: %+v, %v", title, got, err)
		}
		if _, err := client(t, registry.Options{}).Login(context.Background(), r.Host(), "user", "wrong"); !errors.Is(err, registry.ErrDenied) {
			t.Errorf("%s, wrong password: %v", title, err)
		} else if h := err.(interface{ Hint() string }).Hint(); !strings.Contains(h, "password is wrong") {
			t.Errorf("%s, wrong password: hint %q", title, h)
		}
	}
}

// Credentials are sent to the registry alone: a server that a request is redirected
// to sees none, under any of the names of this machine (CVE-2020-15157).
func TestRedirectsCarryNoCredentials(t *testing.T) {
	raw := noise(1000)
	for title, o := range map[string]testregistry.Options{
		"basic": {User: "user", Password: "secret"},
		"token": {Token: &testregistry.TokenServer{User: "user", Password: "secret"}},
	} {
		r, other := start(t, o), start(t, testregistry.Options{})
		_, layer := someImage(r, "team/app", "v1", raw)
		someImage(other, "team/app", "v1", raw)
		c := client(t, registry.Options{Keychain: keysFor(r.Host(), authn.AuthConfig{Username: "user", Password: "secret"})})
		port := other.Host()[strings.LastIndexByte(other.Host(), ':'):]
		for _, host := range []string{other.Host(), "localhost" + port} {
			r.Inject(testregistry.Fault{Path: "/blobs/", Redirect: "http://" + host + "+", Match: func(q *http.Request) bool { return q.Header.Get("Authorization") != "" }})
			other.Forget()
			got, err := readBlob(t, c, ref(t, r.Ref("team/app", "v1")), layer, 10)
			if err != nil || !bytes.Equal(got, raw[10:]) {
				t.Errorf("%s: %v", title, err)
			}
			for _, q := range other.Requests() {
				if q.Header.Get("Authorization") != "" || q.Header.Get("Cookie") != "" {
					t.Errorf("%s: %s got the credentials", title, host)
				}
				if q.Header.Get("Range") == "" {
					t.Errorf("%s: the range was lost on the way", title)
				}
			}
			if len(other.Requests()) == 0 {
				t.Errorf("%s: nobody was redirected", title)
			}
			r.Heal()
		}
	}
}

// What a request is redirected to asks for credentials: it gets none, not even those
// that are stored for it.
func TestChallengeOfAnotherHost(t *testing.T) {
	r := start(t, testregistry.Options{})
	other := start(t, testregistry.Options{User: "user", Password: "secret"})
	_, layer := someImage(r, "team/app", "v1", noise(1000))
	r.Inject(testregistry.Fault{Path: "/blobs/", Redirect: "http://" + other.Host() + "+"})
	k := &keys{auth: map[string]authn.AuthConfig{
		r.Host():     {Username: "user", Password: "secret"},
		other.Host(): {Username: "user", Password: "secret"},
	}}
	_, err := readBlob(t, client(t, registry.Options{Keychain: k}), ref(t, r.Ref("team/app", "v1")), layer, 0)
	if !errors.Is(err, registry.ErrDenied) {
		t.Errorf("error %v", err)
	}
	for _, q := range other.Requests() {
		if q.Header.Get("Authorization") != "" {
			t.Error("it got credentials")
		}
	}
}

// A realm of another domain is asked for an anonymous token; the settings can permit
// more.
func TestForeignRealm(t *testing.T) {
	evil := &testregistry.TokenServer{User: "user", Password: "secret", Anonymous: true}
	r := start(t, testregistry.Options{Token: evil})
	someImage(r, "team/app", "v1", noise(10))
	// The registry is called localhost here, its token server 127.0.0.1.
	host := "localhost" + r.Host()[strings.LastIndexByte(r.Host(), ':'):]
	name := ref(t, host+"/team/app:v1")
	k := keysFor(host, authn.AuthConfig{Username: "user", Password: "secret"})
	if _, _, err := client(t, registry.Options{Keychain: k}).Resolve(context.Background(), name); err != nil {
		t.Error(err)
	}
	_, err := client(t, registry.Options{}).Login(context.Background(), host, "user", "secret")
	if err == nil {
		t.Error("login succeeded without sending the password")
	}
	for _, q := range evil.Requests() {
		if q.Header.Get("Authorization") != "" || strings.Contains(q.Query, "secret") || strings.Contains(q.Query, "user") {
			t.Errorf("the foreign realm got %s %v", q.Query, q.Header)
		}
	}
	settings := &registry.Settings{Registries: []registry.Entry{{Prefix: host, Location: host, TokenRealms: []string{"127.0.0.1"}}}}
	if _, err := client(t, registry.Options{Settings: settings}).Login(context.Background(), host, "user", "secret"); err != nil {
		t.Errorf("a realm that the settings permit: %v", err)
	}
}

// A token server may not send its clients on.
func TestRealmRedirect(t *testing.T) {
	other := start(t, testregistry.Options{})
	tokens := start(t, testregistry.Options{})
	tokens.Inject(testregistry.Fault{Path: "/token", Redirect: "http://" + other.Host() + "+"})
	r := start(t, testregistry.Options{Token: &testregistry.TokenServer{Realm: "http://" + tokens.Host() + "/token"}})
	k := keysFor(r.Host(), authn.AuthConfig{Username: "user", Password: "secret"})
	_, _, err := client(t, registry.Options{Keychain: k}).Resolve(context.Background(), ref(t, r.Ref("team/app", "v1")))
	if err == nil || !strings.Contains(err.Error(), "redirect refused") || len(other.Requests()) != 0 {
		t.Errorf("%d requests, error %v", len(other.Requests()), err)
	}
}

func TestNoHTTPSToHTTP(t *testing.T) {
	plain := start(t, testregistry.Options{})
	r := start(t, testregistry.Options{TLS: &tls.Config{}})
	_, layer := someImage(r, "team/app", "v1", noise(10))
	someImage(plain, "team/app", "v1", noise(10))
	r.Inject(testregistry.Fault{Path: "/blobs/", Redirect: "http://" + plain.Host() + "+"})
	_, err := readBlob(t, client(t, registry.Options{Insecure: true}), ref(t, r.Ref("team/app", "v1")), layer, 0)
	if err == nil || !strings.Contains(err.Error(), "redirect refused: from https to http://"+plain.Host()) || len(plain.Requests()) != 0 {
		t.Errorf("%d requests, error %v", len(plain.Requests()), err)
	}
}

func TestPlainHTTPIsForLoopback(t *testing.T) {
	// The registry is reached by a name that is not loopback, through the proxy of
	// the client's settings: a mirror's name would do as well, but needs a server.
	r := start(t, testregistry.Options{})
	someImage(r, "team/app", "v1", noise(10))
	elsewhere := start(t, testregistry.Options{})
	elsewhere.Inject(testregistry.Fault{Path: "/manifests/", Redirect: "http://registry.example.invalid+"})
	_, _, err := client(t, registry.Options{Attempts: 1}).Resolve(context.Background(), ref(t, elsewhere.Ref("team/app", "v1")))
	if err == nil || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("error %v", err)
	}
}

func TestKeychainFiles(t *testing.T) {
	dir := t.TempDir()
	helper := filepath.Join(dir, "docker-credential-test")
	script := "#!/bin/sh\n[ \"$1\" = get ] || exit 1\nread -r host\ncase $host in helped.example) echo '{\"Username\":\"<token>\",\"Secret\":\"from-helper\"}';; *) echo 'credentials not found in native keychain'; exit 1;; esac\n"
	if err := os.WriteFile(helper, []byte(script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	first, second := filepath.Join(dir, "config.json"), filepath.Join(dir, "auth.json")
	write(t, first, `{"auths":{"https://index.docker.io/v1/":{"auth":"aHViOnNlY3JldA=="},"a.example":{"auth":"YTpwdw=="},"a.example/team":{"auth":"dGVhbTpwdw=="},"https://old.example/v1/":{"auth":"b2xkOnB3"},"helped.example":{}},"credHelpers":{"helped.example":"test"}}`)
	write(t, second, `{"auths":{"a.example":{"auth":"c2Vjb25kOnB3"},"b.example":{"identitytoken":"id"}}}`)
	k := &registry.Keychain{Files: []string{filepath.Join(dir, "missing.json"), first, second}}
	for name, want := range map[string]string{
		"docker.io/library/busybox": "hub", "a.example/other/app": "a", "a.example/team/app": "team", "a.example/teams/app": "a",
		"old.example/x": "old", "helped.example/x": "from-helper", "b.example/x": "id", "c.example/x": "",
	} {
		auth, err := k.Resolve(authResource(name))
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := auth.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Username + cfg.IdentityToken; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	write(t, first, `{"auths":`)
	if _, err := k.Resolve(authResource("a.example/x")); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("a broken file: %v", err)
	}
}

func TestKeychainStoreAndErase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "config.json")
	k := &registry.Keychain{Files: []string{path}}
	if _, err := k.Store("docker.io", authn.AuthConfig{Username: "u", Password: "p:w"}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Store("r.example:5000", authn.AuthConfig{Username: "u", IdentityToken: "id"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for name, want := range map[string]authn.AuthConfig{"docker.io/library/x": {Username: "u", Password: "p:w"}, "r.example:5000/x": {Username: "u", IdentityToken: "id"}} {
		auth, err := k.Resolve(authResource(name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := auth.Authorization()
		if err != nil || got.Username != want.Username || got.Password != want.Password || got.IdentityToken != want.IdentityToken {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// What others have written stays.
	write(t, path, `{"psFormat":"x","unknown":{"a":[1]},"auths":{"r.example:5000":{"auth":"dTpw"},"other.example":{"auth":"dTpw","odd":1}}}`)
	places, err := k.Erase("r.example:5000")
	if err != nil || len(places) != 1 {
		t.Errorf("%v, %v", places, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"psFormat": "x"`, `"unknown"`, `"other.example"`, `"odd": 1`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is gone from %s", want, raw)
		}
	}
	if strings.Contains(string(raw), "r.example:5000") {
		t.Errorf("it is still there: %s", raw)
	}
	if places, err := k.Erase("r.example:5000"); err != nil || len(places) != 0 {
		t.Errorf("the second time: %v, %v", places, err)
	}
}

type authResource string

func (r authResource) String() string { return string(r) }
func (r authResource) RegistryStr() string {
	host, _, _ := strings.Cut(string(r), "/")
	return host
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func authConfig(user, password string) authn.AuthConfig {
	return authn.AuthConfig{Username: user, Password: password}
}

// What is switched off for one registry is not switched off for the host that it
// redirects to.
func TestTrustIsPerHost(t *testing.T) {
	r, other := start(t, testregistry.Options{TLS: &tls.Config{}}), start(t, testregistry.Options{TLS: &tls.Config{}})
	_, layer := someImage(r, "team/app", "v1", noise(10))
	someImage(other, "team/app", "v1", noise(10))
	c := client(t, registry.Options{Insecure: true})
	name := ref(t, r.Ref("team/app", "v1"))
	if _, err := readBlob(t, c, name, layer, 0); err != nil {
		t.Fatal(err)
	}
	r.Inject(testregistry.Fault{Path: "/blobs/", Redirect: "https://" + other.Host() + "+"})
	_, err := readBlob(t, c, name, layer, 0)
	if err == nil || !strings.Contains(err.Error(), "certificate") || len(other.Requests()) != 0 {
		t.Errorf("%d requests, error %v", len(other.Requests()), err)
	}
}

// A certificate that is wrong is no reason to go on without one.
func TestNoFallbackToHTTP(t *testing.T) {
	r := start(t, testregistry.Options{TLS: &tls.Config{}})
	_, _, err := client(t, registry.Options{}).Resolve(context.Background(), ref(t, r.Ref("team/app", "v1")))
	var hint interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "certificate") || !errors.As(err, &hint) || hint.Hint() == "" {
		t.Errorf("error %v", err)
	}
}
