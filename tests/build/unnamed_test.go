package build

import (
	"strings"
	"testing"
)

// TestWithoutName: an image that was built without a name can be used by the id that
// --quiet prints, until prune; not rmi of another image takes it away.
func TestWithoutName(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nCOPY f /f\n", "f": "1\n"})
	ok := func(args ...string) string {
		t.Helper()
		code, out := b.berth(t, nil, args...)
		if code != 0 {
			t.Fatalf("%v: status %d:\n%s", args, code, out)
		}
		return strings.TrimSpace(out)
	}
	// Not "is not in the store" by way of a registry that is asked for the tag of an image sha256.
	code, out := b.berth(t, nil, "unpack", "sha256:"+strings.Repeat("0", 64), t.TempDir()+"/bundle")
	if code != 1 || !strings.Contains(out, ": not in the store") {
		t.Errorf("status %d: %s", code, out)
	}

	id := ok("build", "--quiet", p.dir)
	ok("build", "--quiet", "--tag", "other:1", "--label", "l=1", p.dir)
	ok("rmi", "other:1")
	if out := ok("images", "--quiet", "--no-trunc", "localhost/built"); out != id {
		t.Errorf("images: %s, want %s", out, id)
	}
	ok("unpack", id, t.TempDir()+"/bundle")
	ok("prune")
	if code, out := b.berth(t, nil, "inspect", id); code != 1 {
		t.Errorf("inspect after prune: status %d: %s", code, out)
	}
	ok("inspect", "base") // it has a name
}
