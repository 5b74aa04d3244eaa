package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project is a context on disk that a test changes between builds.
type project struct {
	t   *testing.T
	b   *builder
	dir string
}

func (b *builder) project(t *testing.T, files map[string]string) *project {
	t.Helper()
	p := &project{t: t, b: b, dir: t.TempDir()}
	for name, content := range files {
		p.write(name, content)
	}
	return p
}

func (p *project) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	must(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(p.t, os.WriteFile(path, []byte(content), 0o600))
	must(p.t, os.Chmod(path, 0o644))
}

// build builds the project and returns what was printed, and the image.
func (p *project) build(args ...string) (string, *builtImage) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "image.tar")
	code, out := p.b.berth(p.t, nil, append(append([]string{"build", "--progress", "plain", "--output", "type=oci,dest=" + file}, args...), p.dir)...)
	if code != 0 {
		p.t.Fatalf("build %v: status %d:\n%s", args, code, out)
	}
	return out, readImage(p.t, file)
}

// ran tells which of the words that RUN steps print are in the output: "ran-a".
func ran(out string) string {
	var list []string
	for _, step := range []string{"a", "b", "c", "d"} {
		// The plain display shows the instruction as well, which does not have the sum.
		if strings.Contains(out, "ran-"+step+"-3") {
			list = append(list, step)
		}
	}
	return strings.Join(list, " ")
}

// TestCache: what depends on a change runs again, and nothing else.
func TestCache(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM base\nARG WHO=x\nRUN echo ran-a-$((1+2))\nCOPY first /first\nRUN echo ran-b-$((1+2)); cat /first > /b\n" +
			"COPY dir /dir\nRUN echo ran-c-$((1+2))\nARG LATE=1\nRUN echo ran-d-$((1+2)) $LATE\n",
		"first": "1\n", "dir/f": "1\n", "other": "1\n",
	})
	expect := func(want, why string, args ...string) *builtImage {
		t.Helper()
		out, img := p.build(args...)
		if have := ran(out); have != want {
			t.Errorf("%s: ran %q, want %q:\n%s", why, have, want, out)
		}
		return img
	}
	expect("a b c d", "the first time")
	expect("", "nothing changed")
	must(t, os.Chtimes(filepath.Join(p.dir, "first"), contextMoment(t), contextMoment(t)))
	expect("", "only a time changed")
	p.write("other", "2\n")
	expect("", "a file that is not copied changed")
	p.write("dir/f", "2\n")
	expect("c d", "a file in a copied directory changed")
	p.write("dir/new", "")
	expect("c d", "a copied directory has a new file")
	p.write("first", "2\n")
	img := expect("b c d", "a copied file changed")
	if n := img.tree["/b"]; n == nil || n.content != "2\n" {
		t.Errorf("/b is %+v", n)
	}
	p.write("first", "1\n")
	expect("", "a file changed back to what was built before")
	must(t, os.Chmod(filepath.Join(p.dir, "first"), 0o755))
	expect("b c d", "a mode changed")
	expect("a b c d", "an argument that all see changed", "--build-arg", "WHO=y")
	expect("d", "a later argument changed", "--build-arg", "LATE=2")
	expect("a b c d", "without the cache", "--no-cache")
}

// TestCacheOfStages: a stage is known by what is in it, not by where it stands.
func TestCacheOfStages(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM base AS one\nCOPY f /f\nRUN echo ran-a-$((1+2)); mkdir /o; wc -c < /f > /o/n\n" +
			"FROM base\nCOPY --from=one /o /o\nRUN echo ran-b-$((1+2))\n",
		"f": "12\n",
	})
	if out, _ := p.build(); ran(out) != "a b" {
		t.Errorf("the first time: ran %q", ran(out))
	}
	p.write("f", "34\n")
	out, _ := p.build()
	if ran(out) != "a" {
		t.Errorf("another input, the same output: ran %q, want only a", ran(out))
	}
	p.write("f", "longer\n")
	if out, _ := p.build(); ran(out) != "a b" {
		t.Errorf("another output: ran %q", ran(out))
	}
}

// TestCacheKeepsSecretsOut: the value of a secret is no part of a key, its id is.
func TestCacheKeepsSecretsOut(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM base\nRUN --mount=type=secret,id=s echo ran-a-$((1+2)); wc -c < /run/secrets/s\n", ".dockerignore": "*\n",
	})
	secret := filepath.Join(t.TempDir(), "s")
	must(t, os.WriteFile(secret, []byte("hush-9Zq4-hush"), 0o600))
	if out, _ := p.build("--secret", "id=s,src="+secret); ran(out) != "a" {
		t.Errorf("the first time: ran %q", ran(out))
	}
	must(t, os.WriteFile(secret, []byte("hush-7Yt2-other"), 0o600))
	if out, _ := p.build("--secret", "id=s,src="+secret); ran(out) != "" {
		t.Errorf("another value: ran %q", ran(out))
	}
	for _, value := range []string{"hush-9Zq4-hush", "hush-7Yt2-other"} {
		if hit := grep(t, b.store, value); hit != "" {
			t.Errorf("the secret %s is in %s", value, hit)
		}
	}
}

// TestCacheExport: a second machine builds from the cache that the first exported.
func TestCacheExport(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM base\nRUN echo ran-a-$((1+2)) > /a; cat /a\nCOPY f /f\nRUN echo ran-b-$((1+2))\n", "f": "1\n"}
	cache := filepath.Join(t.TempDir(), "cache")
	p := newBuilder(t).project(t, files)
	if out, _ := p.build("--cache-to", "type=local,dest="+cache); ran(out) != "a b" {
		t.Errorf("the first time: ran %q", ran(out))
	}
	q := newBuilder(t).project(t, files)
	out, img := q.build("--cache-from", "type=local,src="+cache)
	if ran(out) != "" {
		t.Errorf("with the other's cache: ran %q:\n%s", ran(out), out)
	}
	if n := img.tree["/a"]; n == nil || n.content != "ran-a-3\n" {
		t.Errorf("/a is %+v", n)
	}
	q.write("f", "2\n")
	if out, _ := q.build("--cache-from", "type=local,src="+cache); ran(out) != "b" {
		t.Errorf("with a change: ran %q", ran(out))
	}
}

// TestPruneCacheMounts: what a cache mount holds is kept until the cache is removed.
func TestPruneCacheMounts(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN --mount=type=cache,target=/c test ! -e /c/f && echo x > /c/f\n"})
	p.build()
	if code, out := b.berth(t, nil, "prune"); code != 0 || strings.Contains(out, "cache mount") {
		t.Errorf("prune: status %d: %s", code, out)
	}
	if code, out := b.berth(t, nil, "prune", "--cache"); code != 0 || !strings.Contains(out, "1 cache mount") {
		t.Errorf("prune --cache: status %d: %s", code, out)
	}
	p.build() // and the cache is empty
}
