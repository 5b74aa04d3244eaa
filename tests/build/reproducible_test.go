package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func contextMoment(t *testing.T) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, contextTime)
	must(t, err)
	return at
}

// TestReproducible: with SOURCE_DATE_EPOCH two builds by two stores, of contexts
// with other times, give the same digest.
func TestReproducible(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM base\nRUN echo x > /x; mkdir -p /d/e; ln /x /d/y; date > /dev/null\nCOPY . /src\nWORKDIR /new/dir\nADD f /new/dir/\nENV A=1\nLABEL l=1\nCMD [\"x\"]\n",
		"f":          "content\n", "g/h": "content\n",
	}
	var digests []string
	for i := range 2 {
		b := newBuilder(t)
		p := b.project(t, files)
		at := contextMoment(t).Add(time.Duration(i) * 48 * time.Hour).Add(20 * 365 * 24 * time.Hour)
		for name := range files {
			must(t, os.Chtimes(filepath.Join(p.dir, name), at, at))
		}
		id := filepath.Join(t.TempDir(), "id")
		code, out := b.berth(t, []string{"SOURCE_DATE_EPOCH=1000000000"}, "build", "--tag", "again:1", "--iidfile", id, p.dir)
		if code != 0 {
			t.Fatalf("status %d:\n%s", code, out)
		}
		raw, err := os.ReadFile(id)
		must(t, err)
		digests = append(digests, strings.TrimSpace(string(raw)))
		if i == 0 {
			time.Sleep(1100 * time.Millisecond) // so that the second build has another time
		}
	}
	if digests[0] != digests[1] || !strings.HasPrefix(digests[0], "sha256:") {
		t.Errorf("the digests are %q", digests)
	}
}
