package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func diff(t *testing.T, dir string, o DiffOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Diff(context.Background(), open(t, dir), &b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func names(t *testing.T, archive []byte) []string {
	t.Helper()
	var out []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h.Name)
	}
}

// TestDiffOfApply: what is applied and packed again is the same, and so on.
func TestDiffOfApply(t *testing.T) {
	root(t)
	a, b := t.TempDir(), t.TempDir()
	capability := string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	mustApply(t, a, pack(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o711},
		fileEntry("z", "last"), dirEntry("d"), fileEntry("d/.wh.gone", ""), dirEntry("o"), fileEntry("o/.wh..wh..opq", ""),
		tar.Header{Name: "d/su", Mode: 0o6755, Uname: "x", Uid: 3_000_000, Gid: 9},
		hardEntry("d/su2", "d/su"), linkEntry("l", "z"), hardEntry("a-first", "z"),
		tar.Header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo},
		tar.Header{Name: "cap", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.x": "y\x00z"}},
		fileEntry(strings.Repeat("long/", 60)+"name", "n"),
		fileEntry("big", strings.Repeat("b", 300_000)),
	), ApplyOptions{})
	first := diff(t, a, DiffOptions{})
	mustApply(t, b, first, ApplyOptions{})
	if x, y := tree(t, a), tree(t, b); !slices.Equal(x, y) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(y, "\n"), strings.Join(x, "\n"))
	}
	// Whiteouts have the time of the entry, not that of the day.
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(b, "d/gone"), &st); err != nil || st.Mtim.Sec != epoch.Unix() {
		t.Errorf("d/gone: %v, time of modification %d", err, st.Mtim.Sec)
	}
	second := diff(t, b, DiffOptions{})
	if !bytes.Equal(first, second) {
		t.Errorf("the second archive differs:\n%q\n%q", names(t, first), names(t, second))
	}
	if got := getxattr(filepath.Join(b, "cap"), "security.capability"); got != capability {
		t.Errorf("security.capability = %q", got)
	}
	if got := getxattr(filepath.Join(b, "cap"), "user.x"); got != "y\x00z" {
		t.Errorf("user.x = %q", got)
	}
	list := names(t, first)
	for _, want := range []string{"./", "d/.wh.gone", "o/.wh..wh..opq", "a-first"} {
		if !slices.Contains(list, want) {
			t.Errorf("no %s in %q", want, list)
		}
	}
}

// TestDiffOfOverlay: an overlay is mounted, changed and packed.
func TestDiffOfOverlay(t *testing.T) {
	root(t)
	low, upper, work, merged := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	mustApply(t, low, pack(t, dirEntry("d"), fileEntry("d/a", "a"), fileEntry("d/b", "b"), fileEntry("e/f", ""), fileEntry("re/old", "")), ApplyOptions{})
	if err := unix.Mount("overlay", merged, "overlay", 0, "redirect_dir=off,metacopy=off,lowerdir="+low+",upperdir="+upper+",workdir="+work); err != nil {
		t.Skipf("no overlay here: %v", err)
	}
	defer unix.Unmount(merged, unix.MNT_DETACH) //nolint:errcheck // best effort
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.Remove(filepath.Join(merged, "d/a")))
	do(os.WriteFile(filepath.Join(merged, "d/new"), []byte("n"), 0o644))
	do(os.Mkdir(filepath.Join(merged, "fresh"), 0o755))
	do(os.WriteFile(filepath.Join(merged, "fresh/in"), nil, 0o644))
	do(os.RemoveAll(filepath.Join(merged, "re")))
	do(os.Mkdir(filepath.Join(merged, "re"), 0o755))
	do(os.WriteFile(filepath.Join(merged, "tmp"), nil, 0o644))
	do(os.Remove(filepath.Join(merged, "tmp")))
	do(syscall.Mknod(filepath.Join(merged, "sock"), syscall.S_IFSOCK|0o600, 0))
	got := names(t, diff(t, upper, DiffOptions{Lower: []*os.File{open(t, low)}}))
	want := []string{"d/", "d/.wh.a", "d/new", "fresh/", "fresh/in", "re/", "re/.wh..wh..opq"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestDiffSourceDateEpoch(t *testing.T) {
	dir := t.TempDir()
	for name, at := range map[string]time.Time{"old": time.Unix(100, 0), "new": time.Now()} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	archive := diff(t, dir, DiffOptions{SourceDateEpoch: &epoch})
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		want := map[string]int64{"old": 100, "new": epoch.Unix(), "./": epoch.Unix()}[h.Name]
		if h.ModTime.Unix() != want {
			t.Errorf("%s: %d, want %d", h.Name, h.ModTime.Unix(), want)
		}
	}
}

func TestDiffRefuses(t *testing.T) {
	root(t)
	for name, prepare := range map[string]func(dir string) error{
		"reserved name": func(dir string) error { return os.WriteFile(dir+"/.wh.x", nil, 0o644) },
		"redirect": func(dir string) error {
			_ = os.Mkdir(dir+"/d", 0o755)
			return unix.Setxattr(dir+"/d", "trusted.overlay.redirect", []byte("/x"), 0)
		},
		"metacopy": func(dir string) error {
			_ = os.WriteFile(dir+"/f", nil, 0o644)
			return unix.Setxattr(dir+"/f", "trusted.overlay.metacopy", nil, 0)
		},
	} {
		dir := t.TempDir()
		if err := prepare(dir); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := Diff(context.Background(), open(t, dir), io.Discard, DiffOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDiffOfWhatChanges: a container that runs while it is exported changes files for
// links and devices. Neither shows a file of the host, and the device is never opened:
// 60:1 has no driver, so that open(2) would answer ENXIO.
func TestDiffOfWhatChanges(t *testing.T) {
	root(t)
	dir := t.TempDir()
	outside := t.TempDir() + "/outside"
	for _, err := range []error{
		os.WriteFile(outside, []byte("secret-of-the-host"), 0o644), os.WriteFile(dir+"/f", []byte("own"), 0o644),
		unix.Mknod(dir+"/dev", unix.S_IFCHR|0o666, int(unix.Mkdev(60, 1))), os.Symlink(outside, dir+"/link"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			other := [...]string{"/dev", "/link"}[i/2%2]
			if err := unix.Renameat2(unix.AT_FDCWD, dir+"/f", unix.AT_FDCWD, dir+other, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	refused := 0
	for range 2000 {
		var out bytes.Buffer
		_, err := Diff(context.Background(), open(t, dir), &out, DiffOptions{})
		if errors.Is(err, unix.ENXIO) || bytes.Contains(out.Bytes(), []byte("secret-of-the-host")) {
			t.Fatalf("%v", err)
		}
		if err != nil {
			refused++
		}
	}
	close(stop)
	<-ended
	t.Logf("%d of 2000 met a change", refused)
}
