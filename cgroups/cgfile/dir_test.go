package cgfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// top makes a cgroup in whatever hierarchy the host has, and removes it.
func top(t *testing.T) (root *Dir, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	l, err := Detect()
	if err != nil {
		t.Skip(err)
	}
	p := l.Root
	if len(l.Hierarchies) > 0 {
		p = filepath.Join(l.Root, l.Hierarchies[0].Name)
	}
	root, err = Open(p)
	if err != nil {
		t.Fatal(err)
	}
	name = fmt.Sprintf("berth-test-%d-%s", os.Getpid(), t.Name())
	if err := root.MkdirAll(name, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := RemoveAll([]string{filepath.Join(p, name)}); err != nil {
			t.Error(err)
		}
		root.Close()
		root.Close() // twice is fine
	})
	return root, name
}

func TestLocal(t *testing.T) {
	for _, bad := range []string{"", "/", "/a", "..", "../a", "a/..", "a/../b", "a\x00b"} {
		if Local(bad) == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	for _, good := range []string{"a", "a/b", "a..", "..a/b", ".", "a//b"} {
		if err := Local(good); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenElsewhere(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not on a cgroup file system") {
		t.Error(err)
	}
	if _, err := Open("/nonexistent"); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}

// Neither a link on the way nor one at the end is followed, with openat2 and
// without it.
func TestOpenSymlink(t *testing.T) {
	root, name := top(t)
	dir := t.TempDir()
	for link, target := range map[string]string{"end": filepath.Join(root.Path, name), "way": root.Path} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, old := range []bool{false, true} {
		noOpenat2.Store(old)
		for _, p := range []string{dir + "/end", dir + "/way/" + name} {
			if d, err := Open(p); err == nil {
				d.Close()
				t.Errorf("without openat2 %v: %s was followed", old, p)
			}
		}
		d, err := Open(filepath.Join(root.Path, name))
		if err != nil {
			t.Errorf("without openat2 %v: %v", old, err)
		}
		d.Close()
		s, err := root.Sub(name)
		if err != nil {
			t.Errorf("without openat2 %v: %v", old, err)
		}
		s.Close()
	}
	noOpenat2.Store(false)
}

func TestFileNames(t *testing.T) {
	root, name := top(t)
	d, err := root.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, bad := range []string{"", ".", "..", "../cgroup.procs", "/etc/passwd", "a\x00"} {
		if err := d.Write(bad, "1"); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
	err = d.Write("cgroup.procs", "nonsense")
	var we *writeError
	if !errors.As(err, &we) || !errors.Is(err, unix.EINVAL) {
		t.Fatalf("%v", err)
	}
	want := `write "nonsense" to ` + filepath.Join(root.Path, name, "cgroup.procs") + ": invalid argument"
	if err.Error() != want {
		t.Errorf("%s, want %s", err, want)
	}
	if _, err := d.Read("absent"); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
	if d.Exists("absent") || !d.Exists("cgroup.procs") {
		t.Error("Exists")
	}
}

func TestMkdirAll(t *testing.T) {
	root, name := top(t)
	var made []string
	add := func(rel string) error {
		made = append(made, strings.TrimPrefix(rel, name))
		return nil
	}
	if err := root.MkdirAll(name+"/a/b/c", add); err != nil {
		t.Fatal(err)
	}
	if err := root.MkdirAll(name+"/a/b", add); err != nil {
		t.Fatal(err)
	}
	if err := root.MkdirAll(name+"/a/d", add); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/a", "/a/b", "/a/b/c", "/a/d"}; !slices.Equal(made, want) {
		t.Errorf("%v", made)
	}
	if err := root.MkdirAll("../x", add); err == nil {
		t.Error("left the root")
	}
}

// A container may nest its cgroups deeper than the caller may have files open.
func TestDeep(t *testing.T) {
	root, name := top(t)
	cur, err := root.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	const depth = 300
	for i := range depth {
		if err := cur.mkdir("d"); err != nil {
			t.Fatal(i, err)
		}
		if err := cur.mkdir("e"); err != nil {
			t.Fatal(i, err)
		}
		next, err := cur.Sub("d")
		cur.Close()
		if err != nil {
			t.Fatal(i, err)
		}
		cur = next
	}
	cur.Close()
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	low := lim
	low.Cur = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			t.Error(err)
		}
	}()
	d, err := root.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	visited := 0
	if err := d.walkTree(func(*Dir) error { visited++; return nil }, nil); err != nil || visited != 2*depth+1 {
		t.Errorf("visited %d: %v", visited, err)
	}
	if err := d.removeChildren(); err != nil {
		t.Error(err)
	}
	if names, err := d.children(); len(names) != 0 || err != nil {
		t.Errorf("left %v %v", names, err)
	}
}

func TestRemoveGone(t *testing.T) {
	root, name := top(t)
	if err := RemoveAll([]string{filepath.Join(root.Path, name, "x"), filepath.Join(root.Path, name, "y/z")}); err != nil {
		t.Error(err)
	}
}

// In a container without a cgroup namespace the caller's path starts above the mount.
func TestOwnIn(t *testing.T) {
	root, name := top(t)
	if err := root.MkdirAll(name+"/in/own", func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	mount, err := root.Sub(name)
	if err != nil {
		t.Fatal(err)
	}
	defer mount.Close()
	for own, want := range map[string]string{
		"/in/own": "in/own", "/docker/x/in/own": "in/own", "/docker/" + name: ".", "/": ".", "/../..": ".", "/../in": "in", "": ".",
	} {
		if got, err := OwnIn(mount, own); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", own, got, err, want)
		}
	}
}

func TestKey(t *testing.T) {
	text := "populated 1\nfrozen 0\nbad x"
	for key, want := range map[string]uint64{"populated": 1, "frozen": 0, "bad": 0, "absent": 0} {
		if v, ok := Key(text, key); v != want || ok != (key == "populated" || key == "frozen") {
			t.Errorf("%s: %d %v", key, v, ok)
		}
	}
}
