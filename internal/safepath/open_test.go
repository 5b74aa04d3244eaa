package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
)

// bothWays runs test with openat2(2) and with the walk alone.
func bothWays(t *testing.T, test func(t *testing.T)) {
	t.Run("openat2", func(t *testing.T) {
		if noOpenat2.Load() {
			t.Skip("the kernel has no openat2")
		}
		test(t)
	})
	t.Run("walk", func(t *testing.T) {
		defer noOpenat2.Store(noOpenat2.Swap(true))
		test(t)
	})
}

// tree makes a root with links of every kind in it, next to a secret outside, and
// returns an fd of the root and its path.
func tree(t testing.TB) (int, string) {
	t.Helper()
	base := t.TempDir()
	root := filepath.Join(base, "root")
	for _, d := range []string{"a/b/c", "etc", "deep/x/y", "proc"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	for _, f := range []string{"a/file", "a/b/c/leaf", "etc/passwd", "secret"} {
		must(t, os.WriteFile(filepath.Join(root, f), []byte("inside"), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(base, "secret"), []byte("outside"), 0o644))
	for name, text := range map[string]string{
		"rel":        "a/b",
		"abs":        "/etc",
		"absfile":    "/etc/passwd",
		"up":         "../../../../secret",
		"a/up":       "../../secret",
		"a/dots":     "../etc/../a",
		"loop":       "loop",
		"loop1":      "loop2",
		"loop2":      "loop1",
		"dangling":   "/nowhere/at/all",
		"hop1":       "hop2/b",
		"hop2":       "/a",
		"slashes":    "//a///b//",
		"host":       filepath.Join(base, "secret"),
		"a/b/c/home": "/",
		"etc/dot":    ".",
		"todir":      "a/b/",
		"tofile":     "a/file/",
	} {
		must(t, os.Symlink(text, filepath.Join(root, name)))
	}
	long := "a"
	for i := range maxLinks + 1 {
		name := "chain" + string(rune('A'+i/10)) + string(rune('0'+i%10))
		must(t, os.Symlink(long, filepath.Join(root, name)))
		long = name
	}
	fd, err := linux.Openat(linux.AT_FDCWD, root, linux.O_PATH|syscall.O_DIRECTORY, 0)
	must(t, err)
	t.Cleanup(func() { closeFD(fd) })
	return fd, root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func inode(t testing.TB, fd int) uint64 {
	t.Helper()
	var st syscall.Stat_t
	must(t, syscall.Fstat(fd, &st))
	return st.Ino
}

func inodeOf(t testing.TB, path string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	must(t, syscall.Lstat(path, &st))
	return st.Ino
}

func TestOpen(t *testing.T) {
	const (
		beneath = linux.ResolveBeneath
		inRoot  = linux.ResolveInRoot
		noLinks = linux.ResolveInRoot | linux.ResolveNoSymlinks
		opath   = linux.O_PATH
		nofol   = linux.O_PATH | syscall.O_NOFOLLOW
		dir     = linux.O_PATH | syscall.O_DIRECTORY
	)
	cases := []struct {
		path    string
		flags   int
		resolve uint64
		want    string // below the root
		err     error
	}{
		{"a/file", opath, inRoot, "a/file", nil},
		{"/a/file", syscall.O_RDONLY, inRoot, "a/file", nil},
		{"/", opath, inRoot, ".", nil},
		{"//", dir, inRoot, ".", nil},
		{".", opath, inRoot, ".", nil},
		{"", opath, inRoot, "", syscall.ENOENT},
		{"..", opath, inRoot, ".", nil},
		{"../../..", dir, inRoot, ".", nil},
		{"../secret", syscall.O_RDONLY, inRoot, "secret", nil},
		{"a/../../secret", opath, inRoot, "secret", nil},
		{"a/b/..", opath, inRoot, "a", nil},
		{"a/./b/./", dir, inRoot, "a/b", nil},
		{"rel/c/leaf", opath, inRoot, "a/b/c/leaf", nil},
		{"rel/../file", opath, inRoot, "a/file", nil},
		{"abs/passwd", opath, inRoot, "etc/passwd", nil},
		{"absfile", syscall.O_RDONLY, inRoot, "etc/passwd", nil},
		{"absfile", nofol, inRoot, "absfile", nil},
		{"absfile", syscall.O_RDONLY | syscall.O_NOFOLLOW, inRoot, "", syscall.ELOOP},
		{"up", opath, inRoot, "secret", nil},
		{"a/up", opath, inRoot, "secret", nil},
		{"a/dots/b", opath, inRoot, "a/b", nil},
		{"host", opath, inRoot, "", syscall.ENOENT},
		{"loop", opath, inRoot, "", syscall.ELOOP},
		{"loop", nofol, inRoot, "loop", nil},
		{"loop1/x", opath, inRoot, "", syscall.ELOOP},
		{"dangling", opath, inRoot, "", syscall.ENOENT},
		{"dangling", nofol, inRoot, "dangling", nil},
		{"hop1/c", opath, inRoot, "a/b/c", nil},
		{"slashes/c", opath, inRoot, "a/b/c", nil},
		{"slashes", dir, inRoot, "a/b", nil},
		{"a/b/c/home/a/b/c/home/etc", opath, inRoot, "etc", nil},
		{"etc/dot/passwd", opath, inRoot, "etc/passwd", nil},
		{"todir", opath, inRoot, "a/b", nil},
		{"tofile", opath, inRoot, "", syscall.ENOTDIR},
		{"abs/", nofol, inRoot, "etc", nil},
		{"abs/.", nofol, inRoot, "etc", nil},
		{"abs", nofol | syscall.O_DIRECTORY, inRoot, "", syscall.ENOTDIR},
		{"a/file/", opath, inRoot, "", syscall.ENOTDIR},
		{"a/file/..", opath, inRoot, "", syscall.ENOTDIR},
		{"a/file/.", opath, inRoot, "", syscall.ENOTDIR},
		{"a/file/x", opath, inRoot, "", syscall.ENOTDIR},
		{"a/file", dir, inRoot, "", syscall.ENOTDIR},
		{"absfile", dir, inRoot, "", syscall.ENOTDIR},
		{"nothing", opath, inRoot, "", syscall.ENOENT},
		{"nothing/..", opath, inRoot, "", syscall.ENOENT},
		{"a", syscall.O_WRONLY, inRoot, "", syscall.EISDIR},
		{"chainD9", opath, inRoot, "a", nil},
		{"chainE0", opath, inRoot, "", syscall.ELOOP},
		{"rel/c", opath, noLinks, "", syscall.ELOOP},
		{"absfile", opath, noLinks, "", syscall.ELOOP},
		{"absfile", nofol, noLinks, "absfile", nil},
		{"a/b/c", opath, noLinks, "a/b/c", nil},
		{"a/file", opath, beneath, "a/file", nil},
		{"/a/file", opath, beneath, "", syscall.EXDEV},
		{"..", opath, beneath, "", syscall.EXDEV},
		{"a/../..", opath, beneath, "", syscall.EXDEV},
		{"a/..", opath, beneath, ".", nil},
		{"abs/passwd", opath, beneath, "", syscall.EXDEV},
		{"rel/c", opath, beneath, "a/b/c", nil},
		{strings.Repeat("a/../", 200) + "etc", opath, inRoot, "etc", nil},
		{"a\x00b", opath, inRoot, "", syscall.EINVAL},
		{"a", syscall.O_CREAT | syscall.O_WRONLY, inRoot, "", syscall.EINVAL},
		{"a", opath, 0, "", syscall.EINVAL},
	}
	bothWays(t, func(t *testing.T) {
		root, path := tree(t)
		for _, c := range cases {
			fd, err := openAgain(root, c.path, c.flags, c.resolve)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("open %q flags %#x resolve %#x: error %v, want %v", c.path, c.flags, c.resolve, err, c.err)
			}
			if err != nil {
				continue
			}
			if got, want := inode(t, fd), inodeOf(t, filepath.Join(path, c.want)); got != want {
				t.Errorf("open %q: inode %d, want %d of %s", c.path, got, want, c.want)
			}
			closeFD(fd)
		}
	})
}

func TestOpenLeaksNoFD(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(names)
	}
	bothWays(t, func(t *testing.T) {
		root, _ := tree(t)
		before := count()
		for _, p := range []string{"a/b/c/leaf", "loop", "abs/none", "a/file/x", "..", "up", "a/b/c/home/a"} {
			if fd, err := OpenInRoot(root, p, linux.O_PATH); err == nil {
				closeFD(fd)
			}
			if fd, err := MkdirAll(root, p+"/new", 0o755); err == nil {
				closeFD(fd)
			}
			if fd, err := MkFile(root, p+"/f", 0o644); err == nil {
				closeFD(fd)
			}
		}
		if after := count(); after != before {
			t.Errorf("%d fds open, %d before", after, before)
		}
	})
}

func TestMagicLinks(t *testing.T) {
	proc, err := linux.Openat(linux.AT_FDCWD, "/proc", linux.O_PATH|syscall.O_DIRECTORY, 0)
	must(t, err)
	defer closeFD(proc)
	bothWays(t, func(t *testing.T) {
		for _, p := range []string{"self/root", "self/cwd", "self/exe", "self/fd/0", "self/ns/mnt", "self/root/etc"} {
			if fd, err := OpenInRoot(proc, p, linux.O_PATH); err != syscall.ELOOP {
				t.Errorf("open %s: fd %d, error %v, want ELOOP", p, fd, err)
			}
		}
		for _, p := range []string{"self/status", "thread-self/attr", "mounts", "net/dev"} {
			fd, err := OpenInRoot(proc, p, linux.O_PATH)
			if err != nil {
				t.Errorf("open %s: %v", p, err)
				continue
			}
			closeFD(fd)
		}
	})
}

// openAgain is Open, asked ten times before it is believed that there are too many links.
// The kernel begins a lookup anew if it cannot end it under RCU, and goes on counting
// links where it was (path_openat, fs/namei.c): now and then it refuses a chain of more
// than twenty, within its limit of forty.
func openAgain(root int, path string, flags int, resolve uint64) (fd int, err error) {
	for range 10 {
		if fd, err = Open(root, path, flags, resolve); err != syscall.ELOOP {
			break
		}
	}
	return fd, err
}

// FuzzOpen checks that the walk and the kernel agree on every path.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{"a/b/../up", "/abs/../loop/", "hop1/./c//", "todir/..", "tofile/x", "chainE0/b", "a/b/c/home/rel"} {
		f.Add(s, byte(0))
		f.Add(s, byte(7))
	}
	root, _ := tree(f)
	f.Fuzz(func(t *testing.T, path string, choice byte) {
		flags, resolve := linux.O_PATH, uint64(linux.ResolveInRoot)
		if choice&1 != 0 {
			flags |= syscall.O_NOFOLLOW
		}
		if choice&2 != 0 {
			flags |= syscall.O_DIRECTORY
		}
		if choice&4 != 0 {
			resolve = linux.ResolveBeneath
		}
		if choice&8 != 0 {
			resolve |= linux.ResolveNoSymlinks
		}
		if len(path) > 2000 || strings.IndexByte(path, 0) >= 0 {
			return // PATH_MAX holds for the kernel's whole path, for the walk's components
		}
		a, errA := openAgain(root, path, flags, resolve)
		noOpenat2.Store(true)
		b, errB := Open(root, path, flags, resolve)
		noOpenat2.Store(false)
		if errA != errB {
			t.Fatalf("open %q flags %#x resolve %#x: kernel %v, walk %v", path, flags, resolve, errA, errB)
		}
		if errA != nil {
			return
		}
		if inode(t, a) != inode(t, b) {
			t.Errorf("open %q: the walk found another object", path)
		}
		closeFD(a)
		closeFD(b)
	})
}
