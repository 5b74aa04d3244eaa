package registry

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"berth/image"
)

func TestChallenges(t *testing.T) {
	for line, want := range map[string]string{
		`Bearer realm="https://auth.example/token",service="x",scope="repository:a:pull,push"`: "bearer realm=https://auth.example/token scope=repository:a:pull,push service=x",
		`Basic realm="a \"b\" c"`: `basic realm=a "b" c`,
		`basic`:                   "basic",
		`Negotiate, Basic realm=x, Bearer realm=y`:   "negotiate | basic realm=x | bearer realm=y",
		`Bearer realm = "x" , error="invalid_token"`: "bearer error=invalid_token realm=x",
		`Bearer realm="a",realm="b"`:                 "bearer realm=a",
		`Bearer realm="unfinished`:                   "bearer",
		`Bearer realm="ends\`:                        "bearer",
		`Bearer realm=`:                              "bearer",
		`NTLM TlRMTVNTUAAC==`:                        "ntlm",
		``:                                           "",
		`,,,`:                                        "",
		`"quoted"`:                                   "",
	} {
		var words []string
		for _, c := range challenges(http.Header{"Www-Authenticate": {line}}) {
			word := c.scheme
			for _, name := range []string{"error", "realm", "scope", "service"} {
				if v, ok := c.params[name]; ok {
					word += " " + name + "=" + v
				}
			}
			words = append(words, word)
		}
		if got := strings.Join(words, " | "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
	h := http.Header{"Www-Authenticate": {`Basic realm="x"`, `Bearer realm="y"`}}
	if c := pickChallenge(challenges(h)); c == nil || c.scheme != "bearer" {
		t.Errorf("picked %+v", c)
	}
	if c := pickChallenge(challenges(http.Header{"Www-Authenticate": {"Negotiate"}})); c != nil {
		t.Errorf("picked %+v", c)
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://auth.example/token",service="x"`)
	f.Add(`Basic realm="a\"b", Negotiate abc==, Bearer a=b,c="d`)
	f.Fuzz(func(t *testing.T, line string) {
		list := challenges(http.Header{"Www-Authenticate": {line}})
		for _, c := range list {
			if c.scheme == "" || strings.ContainsAny(c.scheme, " \",=") {
				t.Errorf("scheme %q of %q", c.scheme, line)
			}
			if r, err := checkRealm(c.params["realm"], "https", endpoint{host: "registry.example.com"}); err == nil && r.url.Scheme != "https" {
				t.Errorf("realm %s", r.url)
			}
		}
	})
}

// Whatever a registry answers, what is taken of a manifest has the digest that was
// asked for.
func FuzzManifestAnswer(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"layers":[]}`), "application/vnd.oci.image.manifest.v1+json", "sha256:")
	f.Add([]byte(`{"manifests":[{"digest":"sha256:../../x"}]}`), "text/html; charset=x", "md5:00")
	f.Fuzz(func(t *testing.T, raw []byte, contentType, digestHeader string) {
		h := http.Header{"Content-Type": {contentType}, "Docker-Content-Digest": {digestHeader}}
		d, err := checkManifest(h, raw, image.Descriptor{Size: -1})
		if err == nil && (image.CheckDescriptor(d) != nil || d.Digest.Algorithm().FromBytes(raw) != d.Digest || d.Size != int64(len(raw))) {
			t.Errorf("%+v", d)
		}
	})
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, " 7 ": 7 * time.Second, "-3": 0, "x": 0, "99999999999999999999": 0,
		"Sun, 22 Nov 2026 08:01:00 GMT": time.Minute, "Sun, 22 Nov 2026 07:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestParseToken(t *testing.T) {
	now := time.Unix(0, 0)
	for text, want := range map[string]struct {
		value string
		life  time.Duration
	}{
		`{"token":"a"}`:                              {"a", 45 * time.Second},
		`{"access_token":"b","expires_in":300}`:      {"b", 285 * time.Second},
		`{"token":"a","access_token":"b"}`:           {"a", 45 * time.Second},
		`{"token":"a","expires_in":4}`:               {"a", 3 * time.Second},
		`{"token":"a","expires_in":-1}`:              {"a", 45 * time.Second},
		`{"token":"a","expires_in":999999999999}`:    {"a", 86385 * time.Second},
		`{"token":"a\r\nX: y"}`:                      {},
		`{}`:                                         {},
		`[]`:                                         {},
		`{"token":"` + strings.Repeat("x", maxToken): {},
	} {
		got, err := parseToken([]byte(text), now)
		if (err != nil) != (want.value == "") || got.value != want.value || err == nil && got.until.Sub(now) != want.life {
			t.Errorf("%.40s: %q for %s, %v", text, got.value, got.until.Sub(now), err)
		}
	}
}
