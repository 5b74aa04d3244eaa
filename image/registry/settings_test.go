package registry

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/image"
)

// settings reads a file of berth's own with this text.
func settings(t *testing.T, text string) (*Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registries.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadSettings(SettingsFiles{Own: []string{path, path + ".missing"}})
}

func endpointsOf(t *testing.T, s *Settings, name string, byDigest, write bool) (string, error) {
	t.Helper()
	ref, err := image.ParseReference(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := New(Options{Settings: s}).endpoints(ref, byDigest, write)
	var words []string
	for _, ep := range list {
		word := ep.host + "/" + ep.repo
		if ep.insecure {
			word += " insecure"
		}
		if ep.plainHTTP {
			word += " plain"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", "), err
}

func TestEndpoints(t *testing.T) {
	if _, err := settings(t, `unqualified-search-registries = ["docker.io"]`); err == nil {
		t.Error("a key that berth does not know was taken")
	}
	s, err := settings(t, `
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "mirror.example:5000/hub"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
insecure = true
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
[[registry]]
prefix = "docker.io/team"
location = "team.example/x"
[[registry]]
prefix = "*.corp.example"
location = "all.example/corp"
plain-http = true
[[registry]]
prefix = "one.corp.example"
[[registry]]
location = "bad.example"
blocked = true
`)
	if err != nil {
		t.Fatal(err)
	}
	const d = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, c := range []struct {
		name            string
		byDigest, write bool
		want            string
	}{
		{"busybox", false, false, "mirror.example:5000/hub/library/busybox, tags.example/library/busybox, registry-1.docker.io/library/busybox"},
		{"busybox", true, false, "mirror.example:5000/hub/library/busybox, digests.example/library/busybox insecure, tags.example/library/busybox, registry-1.docker.io/library/busybox"},
		{"busybox" + d, true, false, "mirror.example:5000/hub/library/busybox, digests.example/library/busybox insecure, registry-1.docker.io/library/busybox"},
		{"busybox", false, true, "registry-1.docker.io/library/busybox"},
		{"team/app", false, false, "team.example/x/app"},
		{"teams/app", false, true, "registry-1.docker.io/teams/app"},
		{"a.corp.example/app", false, false, "all.example/corp/app plain"},
		{"a.b.corp.example/app", false, false, "all.example/corp/app plain"},
		{"one.corp.example/app", false, false, "one.corp.example/app"},
		{"corp.example/app", false, false, "corp.example/app"},
		{"other.example:5000/a/b/c", false, false, "other.example:5000/a/b/c"},
	} {
		if got, err := endpointsOf(t, s, c.name, c.byDigest, c.write); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
	if _, err := endpointsOf(t, s, "bad.example/app", false, false); err == nil || !strings.Contains(err.Error(), "block") {
		t.Errorf("blocked: %v", err)
	}
}

func TestSettingsThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"[[registry]":                                         "registries.toml",
		"[[registry]]\nprefix = 1":                            "registries.toml",
		"[[registry]]\nprefx = 'a'":                           "unknown key registry.prefx",
		"[[registry]]\nblocked = true":                        "neither prefix nor location",
		"[[registry]]\nprefix = 'https://a'":                  "host[:port][/path]",
		"[[registry]]\nprefix = 'a.b/'":                       "host[:port][/path]",
		"[[registry]]\nprefix='a.b'\nca='x'\nclient-cert='y'": "together",
		"[[registry]]\nprefix='a.b'\n[[registry.mirror]]\nlocation='c.d'\npull-from-mirror='no'": "pull-from-mirror",
		"[[registry]]\nprefix='a.b'\n[[registry.mirror]]\ninsecure=true":                         "no location",
		"x = '" + strings.Repeat("x", maxSettings) + "'":                                         "longer than",
	} {
		if _, err := settings(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, want %q", text, err, want)
		}
	}
}

// Containers' files: unknown keys pass, the later file of a directory wins, berth's
// own come first, and what only berth has cannot be set there.
func TestContainersSettings(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own.toml":        "[[registry]]\nprefix = 'a.example'\nlocation = 'own.example'\n[aliases]\nshort = 'own.example/short'\n",
		"registries.conf": "unqualified-search-registries = ['x']\nshort-name-mode = 'enforcing'\n[[registry]]\nprefix = 'a.example'\nlocation = 'main.example'\n[[registry]]\nlocation = 'c.example'\ninsecure = true\ntoken-realms = ['evil.example']\nplain-http = true\n",
		"d/10.conf":       "[[registry]]\nprefix = 'b.example'\nlocation = 'first.example'\n",
		"d/20.conf":       "[[registry]]\nprefix = 'b.example'\nlocation = 'second.example'\n[aliases]\nshort = 'theirs.example/short'\n",
		"d/30.txt":        "not toml",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := LoadSettings(SettingsFiles{Own: []string{filepath.Join(dir, "own.toml")}, Containers: []string{filepath.Join(dir, "d"), filepath.Join(dir, "registries.conf"), filepath.Join(dir, "none")}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.example/x": "own.example/x", "b.example/x": "second.example/x", "c.example/x": "c.example/x insecure",
	} {
		if got, err := endpointsOf(t, s, name, false, false); err != nil || got != want {
			t.Errorf("%s: %s, want %s, %v", name, got, want, err)
		}
	}
	if e := s.find("c.example/x"); e.PlainHTTP || e.TokenRealms != nil {
		t.Errorf("containers' file sets what is berth's: %+v", e)
	}
	for word, want := range map[string]string{"short": "own.example/short", "short:1": "own.example/short:1", "short@sha256:x": "own.example/short@sha256:x", "shorts": "shorts"} {
		if got := s.Expand(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}

func TestRealmRule(t *testing.T) {
	for _, c := range []struct {
		realm, scheme, host string
		realms              []string
		trusted, refused    bool
	}{
		{realm: "https://auth.docker.io/token", host: dockerHubHost, trusted: true},
		{realm: "https://ghcr.io/token", host: "ghcr.io", trusted: true},
		{realm: "https://gitlab.com/jwt/auth", host: "registry.gitlab.com", trusted: true},
		{realm: "https://auth.example.co.uk/", host: "registry.example.co.uk:5000", trusted: true},
		{realm: "https://registry.example:8443/", host: "registry.example:5000", trusted: true},
		{realm: "https://REGISTRY.example/", host: "registry.example", trusted: true},
		{realm: "https://evil.co.uk/", host: "registry.example.co.uk"},
		{realm: "https://evil.github.io/", host: "me.github.io"},
		{realm: "https://auth.docker.io.evil.example/token", host: dockerHubHost},
		{realm: "https://auth.docker.io@evil.example/token", host: dockerHubHost, refused: true},
		{realm: "https://evil.example/token", host: "registry.example.com"},
		{realm: "https://auth.other.example/", host: "registry.example.com", realms: []string{"auth.other.example"}, trusted: true},
		{realm: "http://auth.docker.io/token", host: dockerHubHost, refused: true},
		{realm: "http://127.0.0.1:1/", scheme: "http", host: "127.0.0.1:5000", trusted: true},
		{realm: "http://localhost:1/", scheme: "http", host: "127.0.0.1:5000"},
		{realm: "http://10.0.0.2/", scheme: "http", host: "10.0.0.1"},
		{realm: "https://169.254.169.254/latest/meta-data", host: "registry.example.com", refused: true},
		{realm: "https://[fd00::1]/", host: "registry.example.com", refused: true},
		{realm: "https://127.0.0.1/", host: "registry.example.com", refused: true},
		{realm: "https://10.0.0.1/", host: "registry.example.com", realms: []string{"10.0.0.1"}, trusted: true},
		{realm: "file:///etc/passwd", host: "registry.example.com", refused: true},
		{realm: "gopher://x/", scheme: "http", host: "127.0.0.1", refused: true},
		{realm: "", host: "registry.example.com", refused: true},
		{realm: "://", host: "registry.example.com", refused: true},
	} {
		if c.scheme == "" {
			c.scheme = "https"
		}
		r, err := checkRealm(c.realm, c.scheme, endpoint{name: c.host, host: c.host, realms: c.realms})
		if (err != nil) != c.refused || err == nil && r.trusted != c.trusted {
			t.Errorf("%s for %s: trusted %t, %v", c.realm, c.host, r.trusted, err)
		}
	}
}

func TestPlainHTTPHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.9.9.9": true, "[::1]:5000": true, "[::1]": true,
		"10.0.0.1:5000": false, "192.168.1.1": false, "registry.local": false, "localhost.example.com": false, "127.0.0.1.example.com": false, "0.0.0.0:5000": false,
	} {
		if isLoopback(host) != want {
			t.Errorf("%s: loopback %t", host, !want)
		}
	}
	h := &hosts{trust: map[string]trust{}}
	for _, host := range []string{"10.0.0.1:5000", "registry.local"} {
		if _, err := h.transport("http", host); !errors.Is(err, errPlainHTTP) {
			t.Errorf("%s: %v", host, err)
		}
	}
	h.permit(endpoint{host: "10.0.0.1:5000", plainHTTP: true})
	if _, err := h.transport("http", "10.0.0.1:5000"); err != nil {
		t.Errorf("permitted: %v", err)
	}
}

// A host that is an insecure mirror of one registry is checked as another registry.
func TestInsecureMirrorElsewhere(t *testing.T) {
	for name, order := range map[string][]bool{"mirror first": {true, false}, "mirror last": {false, true}} {
		h := &hosts{trust: map[string]trust{}}
		var last *http.Transport
		for _, insecure := range order {
			h.permit(endpoint{host: "hub.example", insecure: insecure})
			var err error
			if last, err = h.transport("https", "hub.example"); err != nil {
				t.Fatal(err)
			}
		}
		if last.TLSClientConfig.InsecureSkipVerify {
			t.Errorf("%s: certificates are not checked", name)
		}
	}
}
