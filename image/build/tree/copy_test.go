package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/patternmatcher"
)

// plant makes files: "name" or "dir/" or "link -> target" or "name=content".
func plant(t *testing.T, entries ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, e := range entries {
		if link, target, ok := strings.Cut(e, " -> "); ok {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755))
			must(t, os.Symlink(target, filepath.Join(dir, link)))
			continue
		}
		name, content, _ := strings.Cut(e, "=")
		full := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(full, 0o755))
		} else {
			must(t, os.MkdirAll(filepath.Dir(full), 0o755))
			must(t, os.WriteFile(full, []byte(content), 0o644))
		}
	}
	return dir
}

// listing is the tree as "path", "path/", "path -> link", with "=content".
func listing(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		switch {
		case d.IsDir():
			rel += "/"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			must(t, err)
			rel += " -> " + target
		default:
			raw, err := os.ReadFile(p)
			must(t, err)
			if len(raw) > 0 {
				rel += "=" + string(raw)
			}
		}
		list = append(list, rel)
		return nil
	}))
	sort.Strings(list)
	return strings.Join(list, " ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T, dir string) *Root {
	t.Helper()
	f, err := os.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return &Root{FD: int(f.Fd()), Name: "context"}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("files are given to other users: needs root")
	}
}

func TestCopy(t *testing.T) {
	tests := []struct {
		name     string
		from, to []string
		sources  string
		dest     string
		exclude  []string
		ignore   []string
		parents  bool
		want     string
		wantErr  string
		wantIs   error
	}{
		{name: "file to file", from: []string{"a=1"}, sources: "a", dest: "/x/b", want: "x/ x/b=1"},
		{name: "file to directory by slash", from: []string{"a=1"}, sources: "a", dest: "/x/", want: "x/ x/a=1"},
		{name: "file to existing directory", from: []string{"a=1"}, to: []string{"x/"}, sources: "a", dest: "/x", want: "x/ x/a=1"},
		{name: "file replaces file", from: []string{"a=1"}, to: []string{"x=2"}, sources: "a", dest: "/x", want: "x=1"},
		{name: "directory contents", from: []string{"d/a=1", "d/e/b=2"}, sources: "d", dest: "/x", want: "x/ x/a=1 x/e/ x/e/b=2"},
		{name: "directory contents by slash", from: []string{"d/a=1"}, sources: "d/", dest: "/x/", want: "x/ x/a=1"},
		{name: "directory merges", from: []string{"d/a=1"}, to: []string{"x/b=2"}, sources: "d", dest: "/x", want: "x/ x/a=1 x/b=2"},
		{name: "everything", from: []string{"a=1", "d/b"}, sources: ".", dest: "/", want: "a=1 d/ d/b"},
		{name: "several", from: []string{"a=1", "b=2"}, sources: "a b", dest: "/x/", want: "x/ x/a=1 x/b=2"},
		{name: "several without slash", from: []string{"a", "b"}, sources: "a b", dest: "/x", wantErr: "/x/"},
		{name: "several to existing directory", from: []string{"a", "b"}, to: []string{"x/"}, sources: "a b", dest: "/x", want: "x/ x/a x/b"},
		{name: "wildcard", from: []string{"a.c", "b.c", "b.h", "d.c/x"}, sources: "*.c", dest: "/s/", want: "s/ s/a.c s/b.c s/x"},
		{name: "wildcard in directory", from: []string{"p1/a", "p2/b", "q/c"}, sources: "p*/?", dest: "/s/", want: "s/ s/a s/b"},
		{name: "class", from: []string{"a1", "a2", "a3"}, sources: "a[13]", dest: "/s/", want: "s/ s/a1 s/a3"},
		{name: "escaped wildcard", from: []string{"a*b=1", "aXb=2"}, sources: `a\*b`, dest: "/s/", want: "s/ s/a*b=1"},
		{name: "no match", from: []string{"a"}, sources: "z*", dest: "/s/", want: ""},
		{name: "missing", from: []string{"a"}, sources: "z", dest: "/s/", wantIs: ErrNotFound},
		{name: "link named", from: []string{"a=1", "l -> a"}, sources: "l", dest: "/x", want: "x=1"},
		{name: "link named into directory", from: []string{"a=1", "l -> a"}, sources: "l", dest: "/x/", want: "x/ x/l=1"},
		{name: "link to directory", from: []string{"d/a=1", "l -> d"}, sources: "l", dest: "/x/", want: "x/ x/a=1"},
		{name: "link below", from: []string{"d/a=1", "d/l -> a"}, sources: "d", dest: "/x/", want: "x/ x/a=1 x/l -> a"},
		{name: "absolute link stays inside", from: []string{"etc/shadow=mine", "l -> /etc/shadow"}, sources: "l", dest: "/x", want: "x=mine"},
		{name: "escaping link", from: []string{"l -> /etc/passwd"}, sources: "l", dest: "/x", wantIs: ErrEscape},
		{name: "escaping dots", from: []string{"d/l -> ../../../etc/passwd"}, sources: "d/l", dest: "/x", wantIs: ErrEscape},
		{name: "outside", from: []string{"a"}, sources: "../a", dest: "/x", wantIs: ErrEscape},
		{name: "inner dots", from: []string{"d/a=1"}, sources: "d/../d/a", dest: "/x", want: "x=1"},
		{name: "destination link", from: []string{"a=1"}, to: []string{"real/", "l -> real"}, sources: "a", dest: "/l/b", want: "l -> real real/ real/b=1"},
		{name: "destination absolute link", from: []string{"a=1"}, to: []string{"real/", "l -> /real"}, sources: "a", dest: "/l/", want: "l -> /real real/ real/a=1"},
		{name: "destination dangling link", from: []string{"a=1"}, to: []string{"l -> /new"}, sources: "a", dest: "/l/b", want: "l -> /new new/ new/b=1"},
		{name: "destination link upwards", from: []string{"a=1"}, to: []string{"d/l -> ../../../../up"}, sources: "a", dest: "/d/l/b", want: "d/ d/l -> ../../../../up up/ up/b=1"},
		{name: "through a file link", from: []string{"a=1"}, to: []string{"t=2", "l -> t"}, sources: "a", dest: "/l", want: "l -> t t=1"},
		{name: "directory onto file", from: []string{"d/a"}, to: []string{"x"}, sources: "d", dest: "/x", wantErr: "not a directory"},
		{name: "file onto directory", from: []string{"d/a=1"}, to: []string{"x/a/"}, sources: "d", dest: "/x", wantErr: "cannot be replaced by a file"},
		{name: "directory onto link below", from: []string{"d/e/a"}, to: []string{"x/y/", "x/e -> y"}, sources: "d", dest: "/x", wantErr: "not a directory"},
		{name: "file as directory", from: []string{"a"}, sources: "a/b", dest: "/x", wantErr: "not a directory"},

		{name: "exclude", from: []string{"d/a.txt", "d/b.md", "d/e/c.txt"}, sources: "d", dest: "/x", exclude: []string{"*.txt"}, want: "x/ x/b.md x/e/ x/e/c.txt"},
		{name: "exclude deep", from: []string{"d/a.txt", "d/e/c.txt", "d/k"}, sources: "d", dest: "/x", exclude: []string{"**/*.txt"}, want: "x/ x/e/ x/k"},
		{name: "exclude file by wildcard", from: []string{"home.txt", "hom.c"}, sources: "hom*", dest: "/x/", exclude: []string{"*.txt"}, want: "x/ x/hom.c"},
		{name: "exclude with exception", from: []string{"d/a.txt", "d/b.txt"}, sources: "d", dest: "/x", exclude: []string{"*.txt", "!b.txt"}, want: "x/ x/b.txt"},
		{name: "exclude directory but one", from: []string{"d/e/a", "d/e/b", "d/f/c"}, sources: "d", dest: "/x", exclude: []string{"e", "f", "!e/b"}, want: "x/ x/e/ x/e/b"},

		{name: "ignored", from: []string{"a", "b", "d/c"}, sources: ".", dest: "/", ignore: []string{"b", "d"}, want: "a"},
		{name: "ignored named", from: []string{"b"}, sources: "b", dest: "/", ignore: []string{"b"}, wantErr: "the ignore file hides it"},
		{name: "ignored below", from: []string{"d/a", "d/b"}, sources: "d", dest: "/x", ignore: []string{"d/b"}, want: "x/ x/a"},
		{name: "ignored but one", from: []string{"d/a", "d/b", "e"}, sources: ".", dest: "/", ignore: []string{"*", "!d/b"}, want: "d/ d/b"},
		{name: "ignored parent", from: []string{"d/e/a=1", "d/k"}, sources: "d/e/a", dest: "/x", ignore: []string{"d", "!d/e/a"}, want: "x=1"},

		{name: "parents", from: []string{"a/b/c=1"}, sources: "a/b/c", dest: "/x", parents: true, want: "x/ x/a/ x/a/b/ x/a/b/c=1"},
		{name: "parents pivot", from: []string{"a/b/c=1"}, sources: "a/./b/c", dest: "/x/", parents: true, want: "x/ x/b/ x/b/c=1"},
		{name: "parents wildcard", from: []string{"a/1/x.t", "a/2/x.t", "a/2/y.o"}, sources: "a/*/*.t", dest: "/", parents: true, want: "a/ a/1/ a/1/x.t a/2/ a/2/x.t"},
		{name: "parents double star", from: []string{"a/1/2/x.t", "a/y.t", "b/z.t"}, sources: "./a/**/*.t", dest: "/", parents: true, want: "a/ a/1/ a/1/2/ a/1/2/x.t a/y.t"},
		{name: "parents directory", from: []string{"a/b/c=1"}, sources: "a/b", dest: "/x/", parents: true, want: "x/ x/a/ x/a/b/ x/a/b/c=1"},
		{name: "parents missing", from: []string{"a/b"}, sources: "a/z", dest: "/x/", parents: true, wantIs: ErrNotFound},
	}
	needRoot(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, to := root(t, plant(t, tt.from...)), plant(t, tt.to...)
			from.Confined = true
			if tt.ignore != nil {
				var err error
				from.Ignore, err = patternmatcher.New(tt.ignore)
				must(t, err)
			}
			c := Copy{From: from, To: root(t, to), Sources: strings.Fields(tt.sources), Dest: tt.dest, Exclude: tt.exclude, Parents: tt.parents}
			sum, sumErr := c.Sum()
			err := c.Do(t.Context())
			switch {
			case tt.wantErr != "" || tt.wantIs != nil:
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || (tt.wantIs != nil && !errors.Is(err, tt.wantIs)) {
					t.Fatalf("error %v, want %q %v", err, tt.wantErr, tt.wantIs)
				}
				return
			case err != nil:
				t.Fatal(err)
			case sumErr != nil || sum == "":
				t.Fatalf("sum %q: %v", sum, sumErr)
			}
			if got := listing(t, to); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	needRoot(t)
	from := plant(t, "d/f=x", "d/l -> f")
	must(t, os.Mkdir(filepath.Join(from, "d/sub"), 0o700))
	must(t, os.Chown(filepath.Join(from, "d/f"), 7, 8))
	must(t, syscall.Chmod(filepath.Join(from, "d/f"), 0o4755))
	must(t, os.Link(filepath.Join(from, "d/f"), filepath.Join(from, "d/hard")))
	must(t, syscall.Setxattr(filepath.Join(from, "d/f"), "user.k", []byte("v"), 0))
	to := plant(t, "x/")
	must(t, os.Chmod(filepath.Join(to, "x"), 0o711))
	c := Copy{From: root(t, from), To: root(t, to), Sources: []string{"d"}, Dest: "/x"}
	must(t, c.Do(t.Context()))
	var st, hard, top syscall.Stat_t
	must(t, syscall.Stat(filepath.Join(to, "x/f"), &st))
	must(t, syscall.Stat(filepath.Join(to, "x/hard"), &hard))
	must(t, syscall.Stat(filepath.Join(to, "x"), &top))
	if st.Uid != 7 || st.Gid != 8 || st.Mode&0o7777 != 0o4755 || st.Ino != hard.Ino {
		t.Errorf("file is %d:%d %o, inodes %d %d", st.Uid, st.Gid, st.Mode, st.Ino, hard.Ino)
	}
	if top.Mode&0o7777 != 0o711 {
		t.Errorf("the existing directory has become %o", top.Mode)
	}
	value := make([]byte, 8)
	if n, err := syscall.Getxattr(filepath.Join(to, "x/f"), "user.k", value); err != nil || string(value[:n]) != "v" {
		t.Errorf("user.k is %q: %v", value, err)
	}
	c = Copy{From: c.From, To: c.To, Sources: []string{"d"}, Dest: "/y/z/", Chown: &Owner{UID: 5, GID: 6}}
	c.Chmod, _ = ParseMode("640")
	must(t, c.Do(t.Context()))
	must(t, syscall.Stat(filepath.Join(to, "y"), &top))
	must(t, syscall.Stat(filepath.Join(to, "y/z/f"), &st))
	if top.Uid != 5 || top.Mode&0o7777 != 0o755 || st.Uid != 5 || st.Gid != 6 || st.Mode&0o7777 != 0o640 {
		t.Errorf("parent %d %o, file %d:%d %o", top.Uid, top.Mode, st.Uid, st.Gid, st.Mode)
	}
}

// TestInert: what is written to a directory of the host gives nobody rights.
func TestInert(t *testing.T) {
	needRoot(t)
	from := plant(t, "d/suid=x", "d/f=x")
	must(t, os.Chown(filepath.Join(from, "d/suid"), 7, 8))
	must(t, syscall.Chmod(filepath.Join(from, "d/suid"), 0o6755))
	must(t, syscall.Chmod(filepath.Join(from, "d"), 0o3777))
	must(t, syscall.Setxattr(filepath.Join(from, "d/f"), "user.k", []byte("v"), 0))
	capability := "\x01\x00\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" // VFS_CAP_REVISION_2, effective, all
	must(t, syscall.Setxattr(filepath.Join(from, "d/f"), "security.capability", []byte(capability), 0))
	must(t, syscall.Mknod(filepath.Join(from, "d/disk"), syscall.S_IFBLK|0o666, 8<<8))
	must(t, os.Link(filepath.Join(from, "d/disk"), filepath.Join(from, "d/disk2")))
	must(t, syscall.Mknod(filepath.Join(from, "d/mem"), syscall.S_IFCHR|0o666, 1<<8|1))
	to := root(t, plant(t, "x/"))
	dir := "/proc/self/fd/" + strconv.Itoa(to.FD)
	to.Inert = true
	c := Copy{From: root(t, from), To: to, Sources: []string{"."}, Dest: "/x", Chown: &Owner{}}
	must(t, c.Do(t.Context()))
	names, err := os.ReadDir(dir + "/x/d")
	must(t, err)
	if len(names) != 2 {
		t.Errorf("copied: %v", names)
	}
	for name, want := range map[string]uint32{"/x/d": 0o1777, "/x/d/suid": 0o755, "/x/d/f": 0o644} {
		var st syscall.Stat_t
		must(t, syscall.Stat(dir+name, &st))
		if st.Uid != 0 || st.Mode&0o7777 != want {
			t.Errorf("%s is %d, %o", name, st.Uid, st.Mode)
		}
	}
	if _, err := syscall.Getxattr(dir+"/x/d/f", "security.capability", nil); !errors.Is(err, syscall.ENODATA) {
		t.Errorf("file capabilities: %v", err)
	}
	if n, err := syscall.Getxattr(dir+"/x/d/f", "user.k", nil); n != 1 {
		t.Errorf("user.k: %d, %v", n, err)
	}
}

func TestSum(t *testing.T) {
	needRoot(t)
	dir := plant(t, "d/a=1", "d/b -> a")
	sum := func() string {
		c := Copy{From: root(t, dir), Sources: []string{"d"}, Dest: "/"}
		d, err := c.Sum()
		must(t, err)
		return d.String()
	}
	first := sum()
	must(t, os.Chtimes(filepath.Join(dir, "d/a"), syscallTimeZero, syscallTimeZero))
	if sum() != first {
		t.Error("the sum depends on times")
	}
	must(t, os.Chmod(filepath.Join(dir, "d/a"), 0o600))
	if sum() == first {
		t.Error("the sum does not depend on the mode")
	}
	must(t, os.Chmod(filepath.Join(dir, "d/a"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "d/a"), []byte("2"), 0o644))
	if sum() == first {
		t.Error("the sum does not depend on the content")
	}
}

func TestMode(t *testing.T) {
	for spec, want := range map[string][2]uint32{
		"":            {0o640, 0o750},
		"0":           {0, 0},
		"755":         {0o755, 0o755},
		"4711":        {0o4711, 0o4711},
		"u+x":         {0o740, 0o750},
		"a=rX":        {0o444, 0o555},
		"go-rwx":      {0o600, 0o700},
		"u=rwX,go=rX": {0o644, 0o755},
		"+x":          {0o751, 0o751},
		"g=u":         {0o660, 0o770},
		"u+s,o+t":     {0o5640, 0o5750},
		"ug=rw,o=":    {0o660, 0o660},
		"u-w+x":       {0o540, 0o550},
	} {
		m, err := ParseMode(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if file, dir := m.Apply(0o640, false), m.Apply(0o750, true); file != want[0] || dir != want[1] {
			t.Errorf("%s: %o %o, want %o", spec, file, dir, want)
		}
	}
	for _, bad := range []string{"8", "10000", "u", "z+x", "u+q", "0x7", "u=rwx;"} {
		if _, err := ParseMode(bad); err == nil {
			t.Errorf("%s is taken for a mode", bad)
		}
	}
}
