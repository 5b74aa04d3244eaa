package layer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLikeTar: what GNU tar packs in each of its formats comes out as GNU tar itself
// unpacks it, and what Diff packs does, too.
func TestLikeTar(t *testing.T) {
	root(t)
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("needs tar")
	}
	src := t.TempDir()
	plant(t, src)
	for _, format := range []string{"gnu", "posix", "ustar", "oldgnu"} {
		args := []string{"-C", src, "--format=" + format, "--numeric-owner", "-cf", "-"}
		if format == "posix" {
			args = append(args, "--xattrs", "--xattrs-include=*")
		}
		if format == "ustar" {
			args = append(args, "--exclude=a-rather-long-name", "--exclude=big-id")
		}
		archive, err := exec.Command("tar", append(args, ".")...).Output()
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		theirs, ours := t.TempDir(), t.TempDir()
		untar(t, theirs, archive)
		mustApply(t, ours, archive, ApplyOptions{Format: Flat})
		compareTrees(t, format, theirs, ours)
	}
	var archive bytes.Buffer
	if _, err := Diff(context.Background(), open(t, src), &archive, DiffOptions{}); err != nil {
		t.Fatal(err)
	}
	theirs := t.TempDir()
	untar(t, theirs, archive.Bytes())
	compareTrees(t, "diff", src, theirs)
}

func untar(t *testing.T, dir string, archive []byte) {
	t.Helper()
	cmd := exec.Command("tar", "-C", dir, "--numeric-owner", "--same-owner", "-p", "--xattrs", "--xattrs-include=*", "-xf", "-")
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
}

// plant makes a tree with something of everything.
func plant(t *testing.T, dir string) {
	t.Helper()
	do := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	do(os.Chmod(dir, 0o751)) // else a layer need not name it
	deep := filepath.Join(dir, strings.Repeat("a-rather-long-name/", 15))
	do(os.MkdirAll(deep, 0o755))
	do(os.WriteFile(filepath.Join(deep, "far"), []byte("far"), 0o600))
	for i := range 300 {
		name := filepath.Join(dir, fmt.Sprintf("d%d", i%7))
		do(os.MkdirAll(name, 0o755))
		name = filepath.Join(name, fmt.Sprintf("f%d", i))
		do(os.WriteFile(name, bytes.Repeat([]byte{byte(i)}, i*i*5), 0o644))
		do(os.Chown(name, i, 2*i))
		do(os.Chmod(name, os.FileMode(i*7%0o1000)))
	}
	for name, mode := range map[string]uint32{"suid": 0o4755, "sgid": 0o2711, "sticky": 0o1777, "none": 0} {
		do(os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
		do(unix.Chmod(filepath.Join(dir, name), mode))
	}
	do(os.WriteFile(filepath.Join(dir, "big-id"), nil, 0o600))
	do(os.Chown(filepath.Join(dir, "big-id"), 3_000_000, 4_000_000_000))
	do(os.Link(filepath.Join(dir, "suid"), filepath.Join(dir, "zz-hard")))
	do(os.Symlink("../../etc/passwd", filepath.Join(dir, "link")))
	do(os.Lchown(filepath.Join(dir, "link"), 5, 6))
	do(os.Symlink("d1", filepath.Join(dir, "dirlink")))
	do(unix.Mkfifo(filepath.Join(dir, "fifo"), 0o640))
	do(unix.Mknod(filepath.Join(dir, "char"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 7))))
	do(unix.Mknod(filepath.Join(dir, "block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
	do(unix.Setxattr(filepath.Join(dir, "none"), "user.note", []byte("a\x00b"), 0))
	do(unix.Setxattr(filepath.Join(dir, "d1"), "user.dir", []byte("x"), 0))
	var st unix.Stat_t
	at := time.Unix(1_500_000_000, 0)
	do(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at = at.Add(time.Second)
		ts := unix.NsecToTimespec(at.UnixNano())
		do(unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
		return unix.Lstat(path, &st)
	}))
}

// compareTrees reports what is not the same: also times, attributes and links.
func compareTrees(t *testing.T, what, want, got string) {
	t.Helper()
	a, b := census(t, want), census(t, got)
	for _, line := range a {
		if !slices.Contains(b, line) {
			t.Errorf("%s: missing %s", what, line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			t.Errorf("%s: not expected %s", what, line)
		}
	}
}

func census(t *testing.T, dir string) []string {
	t.Helper()
	lines := tree(t, dir)
	for i, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		path := filepath.Join(dir, name)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		lines[i] += fmt.Sprintf(" size %d mtime %d user.note %q user.dir %q", sizeOf(&st), st.Mtim.Sec, getxattr(path, "user.note"), getxattr(path, "user.dir"))
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			lines[i] += fmt.Sprintf(" links %d", st.Nlink)
		}
	}
	return lines
}

// sizeOf leaves out directories, whose size is the file system's affair.
func sizeOf(st *unix.Stat_t) int64 {
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return 0
	}
	return st.Size
}

// TestDecompressLikeGzip: both ways with the program of that name.
func TestDecompressLikeGzip(t *testing.T) {
	if _, err := exec.LookPath("gzip"); err != nil {
		t.Skip("needs gzip")
	}
	data := text(1 << 20)
	for _, level := range []string{"-1", "-6", "-9"} {
		cmd := exec.Command("gzip", level)
		cmd.Stdin = bytes.NewReader(data)
		packed, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decompress("", bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("gzip %s: %d bytes, %v", level, len(got), err)
		}
		cmd = exec.Command("gzip", "-dc")
		cmd.Stdin = bytes.NewReader(compress(t, Compression{Kind: Gzip}, data, 100_000))
		if got, err := cmd.Output(); err != nil || !bytes.Equal(got, data) {
			t.Errorf("gzip -d reads %d bytes, %v", len(got), err)
		}
	}
}
