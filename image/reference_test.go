package image

import (
	"strings"
	"testing"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseReference(t *testing.T) {
	for _, test := range []struct{ in, full, familiar, tag, digest string }{
		{"busybox", "docker.io/library/busybox:latest", "busybox:latest", "latest", ""},
		{"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36", "1.36", ""},
		{"me/app", "docker.io/me/app:latest", "me/app:latest", "latest", ""},
		{"localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t", "t", ""},
		{"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest", "latest", ""},
		{"index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest", "latest", ""},
		{"busybox@" + someDigest, "docker.io/library/busybox@" + someDigest, "busybox@" + someDigest, "", someDigest},
		{"q.example/x:1@" + someDigest, "q.example/x:1@" + someDigest, "q.example/x:1@" + someDigest, "1", someDigest},
	} {
		r, err := ParseReference(test.in)
		if err != nil {
			t.Errorf("%s: %v", test.in, err)
			continue
		}
		if r.String() != test.full || r.Familiar() != test.familiar || r.Tag() != test.tag || string(r.Digest()) != test.digest {
			t.Errorf("%s: got %s, %s, tag %q, digest %q", test.in, r, r.Familiar(), r.Tag(), r.Digest())
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	for in, says := range map[string]string{
		"":                        "empty",
		"BusyBox":                 "lower case",
		"https://docker.io/x":     "scheme",
		"x:":                      "invalid reference",
		"x@sha256:../../etc":      "invalid reference",
		"x@md5:" + someDigest[7:]: "digest",
		"../x":                    "invalid reference",
		strings.Repeat("a", 300):  "255",
	} {
		r, err := ParseReference(in)
		if err == nil {
			t.Errorf("%q became %s", in, r)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%q: the error %q does not say %q", in, err, says)
		}
	}
}

// FuzzParseReference: what comes out is a fixed point, and no part of it can lead
// out of a directory.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"busybox", "a.b:5/c/d:e", "x@" + someDigest, "[::1]:5000/a", "A", "a/../b", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			return
		}
		again, err := ParseReference(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q: %s is not a reference any more: %v, %s", s, r, err, again)
		}
		for _, part := range strings.Split(r.Repository(), "/") {
			if part == "" || part == "." || part == ".." {
				t.Fatalf("%q: the repository %q has the part %q", s, r.Repository(), part)
			}
		}
	})
}
