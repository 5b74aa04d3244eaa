package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMkdirAll(t *testing.T) {
	cases := []struct {
		path, want string
		err        error
	}{
		{"new", "new", nil},
		{"/new/sub/dir/", "new/sub/dir", nil},
		{"a/b", "a/b", nil},
		{"rel/made", "a/b/made", nil},
		{"abs/made/deep", "etc/made/deep", nil},
		{"up", "", syscall.ENOTDIR},
		{"a/b/../../../../../outside", "outside", nil},
		{"gone/../there", "there", nil},
		{"dangling", "nowhere/at/all", nil},
		{"host/x", "", nil}, // the link's text is made below the root
		{"loop/x", "", syscall.ELOOP},
		{"a/file/x", "", syscall.ENOTDIR},
		{"a/file", "", syscall.ENOTDIR},
		{"", "", syscall.ENOENT},
	}
	bothWays(t, func(t *testing.T) {
		root, path := tree(t)
		before := listing(t, filepath.Dir(path), "root")
		for _, c := range cases {
			fd, err := MkdirAll(root, c.path, 0o755)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("make %q: error %v, want %v", c.path, err, c.err)
			}
			if err != nil {
				continue
			}
			if c.want != "" && inode(t, fd) != inodeOf(t, filepath.Join(path, c.want)) {
				t.Errorf("make %q: not the inode of %s", c.path, c.want)
			}
			closeFD(fd)
		}
		if after := listing(t, filepath.Dir(path), "root"); after != before {
			t.Errorf("outside the root: %s, before: %s", after, before)
		}
	})
}

// listing names what is in dir besides skip.
func listing(t *testing.T, dir, skip string) (names string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if e.Name() != skip {
			names += e.Name() + " "
		}
	}
	return names
}

func TestMkdirAllNoSymlinks(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		root, path := tree(t)
		fd, err := MkdirAllNoSymlinks(root, "/p/q", 0o700)
		must(t, err)
		closeFD(fd)
		var st syscall.Stat_t
		must(t, syscall.Lstat(filepath.Join(path, "p/q"), &st))
		for _, p := range []string{"rel", "abs/new", "dangling", "loop"} {
			if _, err := MkdirAllNoSymlinks(root, p, 0o700); err != syscall.ELOOP {
				t.Errorf("make %s: %v, want ELOOP", p, err)
			}
		}
	})
}

func TestMkFile(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		root, path := tree(t)
		for p, want := range map[string]string{
			"f": "f", "x/y/z": "x/y/z", "rel/f": "a/b/f", "dangling": "nowhere/at/all", "absfile": "etc/passwd",
		} {
			fd, err := MkFile(root, p, 0o644)
			if err != nil {
				t.Errorf("make %s: %v", p, err)
				continue
			}
			if inode(t, fd) != inodeOf(t, filepath.Join(path, want)) {
				t.Errorf("make %s: not the inode of %s", p, want)
			}
			closeFD(fd)
		}
		if b, err := os.ReadFile(filepath.Join(path, "etc/passwd")); err != nil || string(b) != "inside" {
			t.Errorf("the file that was there: %q, %v", b, err)
		}
		if _, err := MkFile(root, "a/b", 0o644); err != syscall.EISDIR {
			t.Errorf("make a file over a directory: %v", err)
		}
		if _, err := MkFile(root, "/", 0o644); err != syscall.EISDIR {
			t.Errorf("make a file over the root: %v", err)
		}
	})
}

func TestMkFileAt(t *testing.T) {
	root, path := tree(t)
	fd, err := MkFileAt(root, "f", 0o600)
	must(t, err)
	closeFD(fd)
	for name, want := range map[string]error{
		"dangling": syscall.ELOOP, "absfile": syscall.ELOOP, "a": syscall.EISDIR,
		"a/x": syscall.EINVAL, "..": syscall.EINVAL, "/f": syscall.EINVAL, "f/": syscall.EINVAL, "": syscall.EINVAL,
	} {
		if _, err := MkFileAt(root, name, 0o600); err != want {
			t.Errorf("make %q: %v, want %v", name, err, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(path, "nowhere")); err == nil {
		t.Error("a dangling link was followed")
	}
}
