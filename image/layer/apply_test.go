package layer

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestApplyEveryType(t *testing.T) {
	root(t)
	dir := t.TempDir()
	capability := string([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	big := strings.Repeat("0123456789abcdef", 20_000)
	archive := pack(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o711, Uid: 3, Gid: 4},
		tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o2775, Uid: 1, Gid: 2},
		tar.Header{Name: "etc/passwd", Mode: 0o664, Uname: "root", Uid: 5, Gid: 6},
		tar.Header{Name: "bin/su", Mode: 0o4755, Uname: "elf"},
		tar.Header{Name: "bin/ping", Uname: "elf", PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": capability,
			"SCHILY.xattr.user.note":           "hi",
			"SCHILY.xattr.user.overlay.opaque": "y",
		}},
		tar.Header{Name: "big", Mode: 0o600, Uname: big},
		linkEntry("lib", "usr/lib"),
		tar.Header{Name: "dangling", Typeflag: tar.TypeSymlink, Linkname: "/no/where", Uid: 7, Gid: 8},
		hardEntry("bin/su2", "bin/su"),
		hardEntry("dangling2", "./dangling"),
		tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666},
		tar.Header{Name: "dev/sda", Typeflag: tar.TypeBlock, Devmajor: 8, Devminor: 300, Mode: 0o660, Gid: 6},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo, Mode: 0o622},
		tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		fileEntry("empty", ""),
		fileEntry(strings.Repeat("d/", 100)+"deep", "x"),
		fileEntry("n/"+strings.Repeat("x", 255), "long"),
		tar.Header{Name: "closed/", Typeflag: tar.TypeDir, Mode: 0o100},
		fileEntry("closed/in", "x"),
	)
	r := mustApply(t, dir, archive, ApplyOptions{})
	got := tree(t, dir)
	for _, want := range []string{
		". 040711 3:4",
		"etc 042775 1:2",
		"etc/passwd 100664 5:6 root",
		"bin 040755 0:0",
		"bin/su 104755 0:0 elf",
		"bin/su2 104755 0:0 elf",
		"big 100600 0:0 320000 bytes",
		"lib 120777 0:0 -> usr/lib",
		"dangling 120777 7:8 -> /no/where",
		"dangling2 120777 7:8 -> /no/where",
		"dev/null 020666 0:0 1:3",
		"dev/sda 060660 0:6 8:300",
		"fifo 010622 0:0",
		"tmp 041777 0:0",
		"empty 100644 0:0 ",
		"closed 040100 0:0",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "big")); string(b) != big {
		t.Error("the large file is not what it was")
	}
	if got := getxattr(filepath.Join(dir, "bin/ping"), "security.capability"); got != capability {
		t.Errorf("security.capability = %q", got)
	}
	if got := getxattr(filepath.Join(dir, "bin/ping"), "user.note"); got != "hi" {
		t.Errorf("user.note = %q", got)
	}
	if got := getxattr(filepath.Join(dir, "bin/ping"), "user.overlay.opaque"); got != "" {
		t.Errorf("user.overlay.opaque = %q came from the archive", got)
	}
	for _, name := range []string{".", "etc", "etc/passwd", "lib", "fifo", "dev/null", "bin", "big", "d/d", "closed"} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil {
			t.Fatal(err)
		}
		if st.Mtim.Sec != epoch.Unix() {
			t.Errorf("%s: mtime is %d", name, st.Mtim.Sec)
		}
	}
	if !slices.Contains(r.Implied, "bin") || !slices.Contains(r.Implied, "dev") || slices.Contains(r.Implied, "etc") || slices.Contains(r.Implied, ".") {
		t.Errorf("implied: %q", r.Implied[:4])
	}
	if r.Entries != 19 {
		t.Errorf("entries: %d", r.Entries)
	}
}

func TestApplySubsecondTimes(t *testing.T) {
	root(t)
	dir := t.TempDir()
	at := time.Unix(1_234_567_890, 123_456_789)
	old := time.Unix(-5, 0)
	mustApply(t, dir, pack(t,
		tar.Header{Name: "f", ModTime: at, Format: tar.FormatPAX},
		tar.Header{Name: "old", ModTime: old, Format: tar.FormatPAX}), ApplyOptions{})
	for name, want := range map[string]time.Time{"f": at, "old": old} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !st.ModTime().Equal(want) {
			t.Errorf("%s: %v, want %v", name, st.ModTime(), want)
		}
	}
}

func TestApplyReplacesDuplicates(t *testing.T) {
	root(t)
	for _, format := range []Format{Overlay, Flat} {
		dir := t.TempDir()
		entries := []tar.Header{
			fileEntry("a", "first"), fileEntry("a", "second"),
			dirEntry("d"), fileEntry("d/in", "x"), fileEntry("d", "now a file"),
			fileEntry("f", "x"), dirEntry("f"), fileEntry("f/in", "y"),
			linkEntry("l", "/etc"), dirEntry("l"), fileEntry("l/passwd", "mine"),
			dirEntry("m"), fileEntry("m/x", ""), linkEntry("m", "d2"),
			fileEntry("h", "one"), hardEntry("h2", "h"), fileEntry("h2", "two"),
			{Name: "e/", Typeflag: tar.TypeDir, Mode: 0o700}, fileEntry("e/keep", "k"),
			{Name: "e/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 9},
			hardEntry("h", "h"),
		}
		for i := range 300 {
			entries = append(entries, fileEntry("same", fmt.Sprint(i)))
		}
		mustApply(t, dir, pack(t, entries...), ApplyOptions{Format: format})
		got := tree(t, dir)
		for _, want := range []string{
			"a 100644 0:0 second", "d 100644 0:0 now a file", "f/in 100644 0:0 y",
			"l/passwd 100644 0:0 mine", "m 120777 0:0 -> d2", "h 100644 0:0 one", "h2 100644 0:0 two",
			"e 040750 9:0", "e/keep 100644 0:0 k", "same 100644 0:0 299",
		} {
			if !slices.Contains(got, want) {
				t.Errorf("format %d: missing %q in\n%s", format, want, strings.Join(got, "\n"))
			}
		}
	}
}

func TestWhiteoutsOverlay(t *testing.T) {
	root(t)
	for _, format := range []Format{Overlay, OverlayUser} {
		dir := t.TempDir()
		mustApply(t, dir, pack(t,
			fileEntry(".wh.gone", ""),
			fileEntry("a/b/.wh.gone", ""),
			fileEntry("own", "stays"), fileEntry(".wh.own", ""),
			dirEntry("dir"), fileEntry("dir/x", "x"), fileEntry(".wh.dir", ""),
			fileEntry(".wh.dir2", ""), dirEntry("dir2"), fileEntry("dir2/y", "y"),
			fileEntry(".wh.dir3", ""), fileEntry("dir3/z", "z"),
			fileEntry(".wh.back", ""), fileEntry("back", "again"),
			dirEntry("opq"), fileEntry("opq/.wh..wh..opq", ""), fileEntry("opq/new", "n"),
			fileEntry(".wh..wh.aufs", ""), fileEntry(".wh..wh.plnk/1.2", ""),
		), ApplyOptions{Format: format})
		got := tree(t, dir)
		for _, want := range []string{
			"gone 020000 0:0 0:0", "a/b/gone 020000 0:0 0:0", "own 100644 0:0 stays",
			"dir/x 100644 0:0 x", "dir2/y 100644 0:0 y", "dir3/z 100644 0:0 z", "back 100644 0:0 again", "opq/new 100644 0:0 n",
		} {
			if !slices.Contains(got, want) {
				t.Errorf("missing %q in\n%s", want, strings.Join(got, "\n"))
			}
		}
		if has(got, ".wh.") {
			t.Errorf("a reserved name is left in\n%s", strings.Join(got, "\n"))
		}
		mark := "trusted.overlay.opaque"
		if format == OverlayUser {
			mark = "user.overlay.opaque"
		}
		for _, name := range []string{"dir", "dir2", "dir3", "opq"} {
			if got := getxattr(filepath.Join(dir, name), mark); got != "y" {
				t.Errorf("%s: %s = %q", name, mark, got)
			}
		}
		if got := getxattr(filepath.Join(dir, "a"), mark); got != "" {
			t.Errorf("a: %s = %q", mark, got)
		}
	}
}

func TestWhiteoutsFlat(t *testing.T) {
	root(t)
	dir := t.TempDir()
	flat := ApplyOptions{Format: Flat}
	mustApply(t, dir, pack(t,
		fileEntry("gone", ""), fileEntry("keep", "k"),
		fileEntry("d/old", "o"), fileEntry("d/sub/old", "o"), fileEntry("e/f/g", ""), fileEntry("t/x", ""),
		fileEntry("file", "f"), dirEntry("dir"), fileEntry("dir/x", ""), linkEntry("link", "d"),
	), flat)
	mustApply(t, dir, pack(t,
		fileEntry(".wh.gone", ""), fileEntry(".wh.never", ""), fileEntry("no/dir/.wh.x", ""),
		fileEntry("d/sub/new", "n"), fileEntry("d/.wh..wh..opq", ""), fileEntry("d/new", "n"),
		fileEntry("e/.wh.f", ""),
		dirEntry("t"), fileEntry("t/y", ""), fileEntry(".wh.t", ""),
		dirEntry("file"), fileEntry("file/in", "i"), fileEntry("dir", "now"), dirEntry("link"),
	), flat)
	got := tree(t, dir)
	want := []string{". ", "d ", "d/new ", "d/sub ", "d/sub/new ", "dir 100644", "e ", "file 040755", "file/in ", "keep ", "link 040755", "t ", "t/y "}
	if len(got) != len(want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	for _, w := range want {
		if !has(got, w) {
			t.Errorf("missing %q in\n%s", w, strings.Join(got, "\n"))
		}
	}
}

// TestOverlayShowsLayers mounts what Apply made.
func TestOverlayShowsLayers(t *testing.T) {
	root(t)
	low, high, merged := t.TempDir(), t.TempDir(), t.TempDir()
	lowest := pack(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "shared/", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 11},
		fileEntry("shared/gone", ""), fileEntry("shared/stays", ""),
		dirEntry("hidden"), fileEntry("hidden/old", ""),
		fileEntry("orig", "the original"),
	)
	mustApply(t, low, lowest, ApplyOptions{})
	below := []*os.File{open(t, low)}
	r := mustApply(t, high, pack(t,
		fileEntry("shared/.wh.gone", ""), fileEntry("shared/new", ""),
		dirEntry("hidden"), fileEntry("hidden/.wh..wh..opq", ""), fileEntry("hidden/new", ""),
		hardEntry("copy", "orig"),
	), ApplyOptions{Lower: func(context.Context) ([]*os.File, error) { return below, nil }})
	if err := Inherit(context.Background(), open(t, high), r.Implied, below); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+high+":"+low); err != nil {
		t.Skipf("no overlay here: %v", err)
	}
	defer unix.Unmount(merged, unix.MNT_DETACH) //nolint:errcheck // best effort
	got := tree(t, merged)
	want := []string{
		". 040755 0:0", "copy 100644 0:0 the original", "hidden 040755 0:0", "hidden/new 100644 0:0 ",
		"orig 100644 0:0 the original", "shared 041777 11:0", "shared/new 100644 0:0 ", "shared/stays 100644 0:0 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var a, b unix.Stat_t
	_ = unix.Stat(filepath.Join(high, "copy"), &a)
	_ = unix.Stat(filepath.Join(high, "orig"), &b)
	if a.Ino != b.Ino {
		t.Error("the copied file and its link are two")
	}
}

func TestOpaqueRoot(t *testing.T) {
	root(t)
	low, high := t.TempDir(), t.TempDir()
	mustApply(t, low, pack(t, fileEntry("a", ""), fileEntry("d/x", ""), fileEntry("both/x", "")), ApplyOptions{})
	below := []*os.File{open(t, low)}
	mustApply(t, high, pack(t, fileEntry(".wh..wh..opq", ""), fileEntry("a", "new"), fileEntry("both/y", "")),
		ApplyOptions{Lower: func(context.Context) ([]*os.File, error) { return below, nil }})
	got := tree(t, high)
	for _, want := range []string{"a 100644 0:0 new", "d 020000 0:0 0:0", "both/y "} {
		if !has(got, want) {
			t.Errorf("missing %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if getxattr(filepath.Join(high, "both"), "trusted.overlay.opaque") != "y" {
		t.Error("both is not opaque")
	}
}

// Without the layers below nobody can hide them: that is no success.
func TestOpaqueRootWithoutLower(t *testing.T) {
	root(t)
	if _, err := apply(t, t.TempDir(), pack(t, fileEntry(".wh..wh..opq", "")), ApplyOptions{}); !errors.Is(err, errOpaqueRoot) {
		t.Error(err)
	}
}

// An entry says all of a directory, also of one that a layer before has made.
func TestFlatDirectoryAnew(t *testing.T) {
	root(t)
	dir := t.TempDir()
	with := dirEntry("d")
	with.PAXRecords = map[string]string{"SCHILY.xattr.user.old": "1", "SCHILY.xattr.user.both": "1"}
	again := dirEntry("d")
	again.PAXRecords = map[string]string{"SCHILY.xattr.user.both": "2"}
	mustApply(t, dir, pack(t, with, fileEntry("d/f", "")), ApplyOptions{Format: Flat})
	mustApply(t, dir, pack(t, again), ApplyOptions{Format: Flat})
	if old, both := getxattr(dir+"/d", "user.old"), getxattr(dir+"/d", "user.both"); old != "" || both != "2" {
		t.Errorf("user.old is %q, user.both %q", old, both)
	}
	if _, err := os.Stat(dir + "/d/f"); err != nil {
		t.Error(err)
	}
}

func TestHardLinkToWhatIsNotThere(t *testing.T) {
	root(t)
	low, high := t.TempDir(), t.TempDir()
	mustApply(t, low, pack(t, fileEntry("x", ""), fileEntry("d/y", "")), ApplyOptions{})
	below := []*os.File{open(t, low)}
	o := ApplyOptions{Lower: func(context.Context) ([]*os.File, error) { return below, nil }}
	for _, entries := range [][]tar.Header{
		{hardEntry("l", "nothing")},
		{fileEntry(".wh.x", ""), hardEntry("l", "x")},
		{hardEntry("l", "d")},
	} {
		if _, err := apply(t, high, pack(t, entries...), o); err == nil {
			t.Errorf("%s → %s: no error", entries[len(entries)-1].Name, entries[len(entries)-1].Linkname)
		}
	}
}

func TestSparse(t *testing.T) {
	root(t)
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	src, out := t.TempDir(), t.TempDir()
	f, err := os.Create(filepath.Join(src, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	if _, err := f.WriteAt([]byte("start"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("middle"), 5_000_001); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	want, _ := os.ReadFile(f.Name())
	for _, format := range []string{"gnu", "posix"} {
		archive, err := exec.Command("tar", "-C", src, "--sparse", "--format="+format, "-cf", "-", "holes").Output()
		if err != nil {
			t.Fatal(err)
		}
		mustApply(t, out, archive, ApplyOptions{Format: Flat})
		got, _ := os.ReadFile(filepath.Join(out, "holes"))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: other content", format)
		}
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(out, "holes"), &st); err != nil {
			t.Fatal(err)
		}
		if st.Blocks*512 > size/4 {
			t.Errorf("%s: the holes take %d bytes on disk", format, st.Blocks*512)
		}
	}
}

func TestGNULongNames(t *testing.T) {
	root(t)
	long := strings.Repeat("directory-name/", 20) + "file"
	dir := t.TempDir()
	mustApply(t, dir, pack(t, tar.Header{Name: long, Format: tar.FormatGNU, Uname: "x"},
		tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: long, Format: tar.FormatGNU}), ApplyOptions{})
	if b, err := os.ReadFile(filepath.Join(dir, long)); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestHugeHole: an archive of a few bytes may name a file of 2⁶³-1, which together
// with the one before is a negative number.
func TestHugeHole(t *testing.T) {
	root(t)
	const size = "9223372036854775807"
	holes := "1\n" + size + "\n0\n"
	archive := pack(t, fileEntry("a", "some bytes"), tar.Header{
		Name: "b", Uname: holes + strings.Repeat("\x00", 512-len(holes)),
		// The writer leaves GNU's records out.
		PAXRecords: map[string]string{"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.name": "b", "XXX.sparse.realsize": size},
	})
	_, err := apply(t, t.TempDir(), bytes.ReplaceAll(archive, []byte("XXX"), []byte("GNU")), ApplyOptions{})
	var limit *LimitError
	if !errors.As(err, &limit) {
		t.Errorf("a hole of 2⁶³-1 bytes: %v", err)
	}
}

func TestLimits(t *testing.T) {
	root(t)
	big := strings.Repeat("x", 100_000)
	cases := map[string]struct {
		limits  Limits
		entries []tar.Header
	}{
		"entries": {Limits{Entries: 2}, []tar.Header{fileEntry("a", ""), fileEntry("b", ""), fileEntry("c", "")}},
		"names":   {Limits{Names: 150}, []tar.Header{dirEntry(big[:100]), dirEntry(big[:101])}},
		"bytes":   {Limits{Bytes: 50_000}, []tar.Header{fileEntry("a", big)}},
		"xattrs": {Limits{Xattrs: 100}, []tar.Header{{Name: "a", PAXRecords: map[string]string{
			"SCHILY.xattr.user.a": strings.Repeat("x", 60), "SCHILY.xattr.user.b": strings.Repeat("x", 60)}}}},
	}
	for name, c := range cases {
		_, err := apply(t, t.TempDir(), pack(t, c.entries...), ApplyOptions{Limits: c.limits})
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A bomb of zeros after the end of the archive counts, too.
	zeros := io.MultiReader(bytes.NewReader(pack(t, fileEntry("a", ""))), zeroReader{})
	_, err := Apply(context.Background(), open(t, t.TempDir()), zeros, ApplyOptions{Limits: Limits{Bytes: 1 << 20}})
	var limit *LimitError
	if !errors.As(err, &limit) {
		t.Errorf("trailing zeros: %v", err)
	}
}

// TestLargeHeaders: what is noted of a directory keeps no extended header in memory,
// which can have a megabyte and is packed a thousandfold.
func TestLargeHeaders(t *testing.T) {
	root(t)
	const many = 300
	r, w := io.Pipe()
	go func() {
		archive := tar.NewWriter(w)
		padding := strings.Repeat("x", 1_000_000)
		for i := range many {
			h := dirEntry(strings.Repeat("d", 120) + strconv.Itoa(i))
			h.PAXRecords = map[string]string{"comment": padding}
			if err := archive.WriteHeader(&h); err != nil {
				w.CloseWithError(err)
				return
			}
		}
		last := fileEntry(".wh..wh..opq", "")
		last.Uname, last.Typeflag = "", tar.TypeReg
		err := archive.WriteHeader(&last)
		w.CloseWithError(cmp.Or(err, archive.Close()))
	}()
	var held uint64
	// It is asked for at the end, when everything is noted.
	lower := func(context.Context) ([]*os.File, error) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		held = m.HeapAlloc
		return nil, nil
	}
	if _, err := Apply(context.Background(), open(t, t.TempDir()), r, ApplyOptions{Lower: lower}); err != nil {
		t.Fatal(err)
	}
	if held == 0 || held > 100<<20 {
		t.Errorf("%d bytes are held", held)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestApplyCancelled(t *testing.T) {
	root(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("enough")
	archive := pack(t, fileEntry("a", ""), fileEntry("b", ""))
	r := io.MultiReader(bytes.NewReader(archive[:600]), readerFunc(func([]byte) (int, error) { cancel(cause); return 0, nil }), bytes.NewReader(archive[600:]))
	if _, err := Apply(ctx, open(t, t.TempDir()), r, ApplyOptions{}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestTruncated: neither descriptors nor goroutines stay behind (CVE-2021-20291).
func TestTruncated(t *testing.T) {
	root(t)
	var entries []tar.Header
	for i := range 50 {
		entries = append(entries, fileEntry(fmt.Sprintf("d%d/f", i), strings.Repeat("x", 3000)))
	}
	archive := pack(t, entries...)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := count()
	for i := range 100 {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		cut := len(archive) * i / 100 / 512 * 512
		if _, err := Apply(context.Background(), f, bytes.NewReader(archive[:cut+100]), ApplyOptions{}); err == nil {
			t.Errorf("cut at %d: no error", cut)
		}
		f.Close()
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestSkipsDevicesInUserNS(t *testing.T) {
	root(t)
	dir := t.TempDir()
	r := mustApply(t, dir, pack(t,
		tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo},
		tar.Header{Name: "f", PAXRecords: map[string]string{"SCHILY.xattr.trusted.x": "1"}},
	), ApplyOptions{Format: OverlayUser, UserNS: true})
	if !slices.Equal(r.Skipped, []string{"dev/null"}) {
		t.Errorf("skipped %q", r.Skipped)
	}
	if _, err := os.Lstat(filepath.Join(dir, "dev/null")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("dev/null: %v", err)
	}
	if got := getxattr(filepath.Join(dir, "f"), "trusted.x"); got != "" {
		t.Errorf("trusted.x = %q", got)
	}
}
