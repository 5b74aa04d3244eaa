package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/internal/safepath"

	"golang.org/x/sys/unix"
)

// TestHostileArchives: the published ways out of the target (threats D3: Docker
// CVE-2014-6407, 9356, 9357, moby CVE-2026-17106, containers CVE-2025-11395, umoci
// CVE-2021-29136, containerd CVE-2021-32760, and more). Beside the target lies a
// directory that must not change; the archive is refused, or made inside.
func TestHostileArchives(t *testing.T) {
	root(t)
	const victim = "VICTIM" // the absolute path of the directory beside the target
	long := strings.Repeat("x", 300)
	cases := map[string]struct {
		layers  [][]tar.Header
		refused bool
		inside  string // what has to be there then
	}{
		"dot dot":                  {[][]tar.Header{{fileEntry("../victim/new", "x")}}, true, ""},
		"dot dot within":           {[][]tar.Header{{dirEntry("a"), fileEntry("a/../../victim/new", "x")}}, true, ""},
		"only dot dot":             {[][]tar.Header{{dirEntry("..")}}, true, ""},
		"absolute":                 {[][]tar.Header{{fileEntry(victim+"/new", "x")}}, false, victim + "/new"},
		"absolute with dots":       {[][]tar.Header{{fileEntry("/../../../../../../"+victim+"/new", "x")}}, true, ""},
		"symlink parent":           {[][]tar.Header{{linkEntry("l", victim), fileEntry("l/new", "x")}}, false, ""},
		"relative symlink":         {[][]tar.Header{{linkEntry("l", "../victim"), fileEntry("l/new", "x")}}, false, "victim/new"},
		"symlink chain":            {[][]tar.Header{{linkEntry("a", ".."), linkEntry("b", "a/.."), linkEntry("c", "b/victim"), fileEntry("c/new", "x")}}, false, ""},
		"symlink to file":          {[][]tar.Header{{linkEntry("l", "../victim/file"), fileEntry("l", "overwritten")}}, false, "l"},
		"symlink as directory":     {[][]tar.Header{{linkEntry("l", victim), dirEntry("l"), fileEntry("l/file", "x")}}, false, "l/file"},
		"hardlink absolute":        {[][]tar.Header{{hardEntry("h", victim+"/file"), {Name: "h", Mode: 0o4777, Uname: "x"}}}, true, ""},
		"hardlink dot dot":         {[][]tar.Header{{hardEntry("h", "../victim/file")}}, true, ""},
		"hardlink via symlink":     {[][]tar.Header{{linkEntry("l", victim), hardEntry("h", "l/file")}}, true, ""},
		"hardlink to symlink":      {[][]tar.Header{{linkEntry("l", victim+"/file"), hardEntry("h", "l"), {Name: "h", Mode: 0o4777, Uname: "x"}}}, false, "h"},
		"hardlink to the root":     {[][]tar.Header{{hardEntry("h", "/")}}, true, ""},
		"hardlink of relative cwd": {[][]tar.Header{{hardEntry("h", "hostile_test.go")}}, true, ""},
		"root is a symlink":        {[][]tar.Header{{linkEntry("./", victim)}, {fileEntry("new", "x")}}, true, ""},
		"root is a file":           {[][]tar.Header{{{Name: "/", Typeflag: tar.TypeLink, Linkname: "x"}}}, true, ""},
		"swapped mid-layer": {[][]tar.Header{{
			dirEntry("d"), fileEntry("d/one", "1"), linkEntry("d", victim), fileEntry("d/new", "2"),
		}}, false, ""},
		"swapped and back": {[][]tar.Header{{
			dirEntry("d/sub"), fileEntry("d/sub/one", "1"), linkEntry("d", victim), fileEntry("d/sub/new", "2"),
		}}, false, ""},
		"whiteout via symlink": {[][]tar.Header{{linkEntry("l", victim)}, {fileEntry("l/.wh.file", "")}}, false, ""},
		"opaque via symlink":   {[][]tar.Header{{linkEntry("l", victim)}, {fileEntry("l/.wh..wh..opq", "")}}, false, ""},
		"whiteout same layer":  {[][]tar.Header{{linkEntry("l", victim), fileEntry("l/.wh.file", "")}}, false, ""},
		"opaque same layer":    {[][]tar.Header{{linkEntry("l", victim), fileEntry("l/.wh..wh..opq", "")}}, false, ""},
		"whiteout of dot dot":  {[][]tar.Header{{fileEntry(".wh...", "")}}, true, ""},
		"whiteout of dot":      {[][]tar.Header{{fileEntry("d/.wh..", "")}}, true, ""},
		"whiteout of nothing":  {[][]tar.Header{{fileEntry("d/.wh.", "")}}, true, ""},
		"whiteout directory":   {[][]tar.Header{{fileEntry(".wh.d/file", "x")}}, true, ""},
		"pax path": {[][]tar.Header{{{Name: "innocent", Uname: "x", PAXRecords: map[string]string{"BERTH.x": "1"}},
			{Name: strings.Repeat("a/", 60) + "../../" + strings.Repeat("../", 60) + "victim/new", Uname: "x", Format: tar.FormatPAX}}}, true, ""},
		"pax linkpath": {[][]tar.Header{{{Name: "h", Typeflag: tar.TypeLink, Linkname: strings.Repeat("../", 60) + victim + "/file", Format: tar.FormatPAX}}}, true, ""},
		"long name":    {[][]tar.Header{{fileEntry(long, "x")}}, true, ""},
		"deep path":    {[][]tar.Header{{fileEntry(strings.Repeat("d/", 300)+"f", "x")}}, true, ""},
		"raw whiteout": {[][]tar.Header{{{Name: "f", Typeflag: tar.TypeChar}}}, true, ""},
		"bad device":   {[][]tar.Header{{{Name: "f", Typeflag: tar.TypeChar, Devmajor: 5000, Devminor: 1, Format: tar.FormatGNU}}}, true, ""},
		"owner -1":     {[][]tar.Header{{{Name: "f", Uid: 1<<32 - 1, Format: tar.FormatPAX}}}, true, ""},
		"xattr opaque": {[][]tar.Header{{{Name: "d/", Typeflag: tar.TypeDir, PAXRecords: map[string]string{
			"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.overlay.opaque": "y",
			"SCHILY.xattr.security.selinux": "system_u"}}}}, false, "d"},
		"long xattr name": {[][]tar.Header{{{Name: "f", PAXRecords: map[string]string{"SCHILY.xattr.user." + long: "x"}}}}, true, ""},
		"file as parent":  {[][]tar.Header{{fileEntry("f", "x"), fileEntry("f/in", "x")}}, true, ""},
		"duplicates of all kinds": {[][]tar.Header{{
			fileEntry("x", "1"), dirEntry("x"), linkEntry("x", victim), hardEntry("y", "x"), dirEntry("x"), fileEntry("x/file", "2"), linkEntry("x", "../victim"),
		}}, false, "x"},
	}
	for name, c := range cases {
		for _, format := range []Format{Overlay, Flat} {
			if format == Flat && name == "raw whiteout" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", name, format), func(t *testing.T) {
				top := t.TempDir()
				target, beside := filepath.Join(top, "target"), filepath.Join(top, "victim")
				for _, dir := range []string{target, beside} {
					if err := os.Mkdir(dir, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(beside, "file"), []byte("untouched"), 0o600); err != nil {
					t.Fatal(err)
				}
				before := fingerprint(t, beside)
				var err error
				for _, entries := range c.layers {
					entries = slices.Clone(entries)
					for i := range entries {
						entries[i].Name = strings.ReplaceAll(entries[i].Name, victim, beside)
						entries[i].Linkname = strings.ReplaceAll(entries[i].Linkname, victim, beside)
					}
					if err == nil {
						_, err = apply(t, target, pack(t, entries...), ApplyOptions{Format: format})
					}
				}
				if after := fingerprint(t, beside); !slices.Equal(before, after) {
					t.Errorf("the directory beside the target has changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
				}
				if got := namesIn(t, top); !slices.Equal(got, []string{"target", "victim"}) {
					t.Errorf("beside the target lie %q", got)
				}
				if c.refused && err == nil {
					t.Errorf("no error, and\n%s", strings.Join(tree(t, target), "\n"))
				}
				if !c.refused && err != nil {
					t.Errorf("refused: %v", err)
				}
				if c.inside != "" && err == nil {
					inside := strings.TrimPrefix(strings.ReplaceAll(c.inside, victim, beside), "/")
					if _, err := os.Lstat(filepath.Join(target, inside)); err != nil {
						t.Errorf("not inside: %v\n%s", err, strings.Join(tree(t, target), "\n"))
					}
				}
				for _, attr := range []string{"trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.opaque", "security.selinux"} {
					if got := getxattr(filepath.Join(target, "d"), attr); name == "xattr opaque" && got != "" && attr != "security.selinux" {
						t.Errorf("%s = %q", attr, got)
					}
				}
			})
		}
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// fingerprint is all that an attack could change of a tree.
func fingerprint(t *testing.T, dir string) []string {
	t.Helper()
	lines := tree(t, dir)
	for i, line := range lines {
		name, _, _ := strings.Cut(line, " ")
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil {
			t.Fatal(err)
		}
		lines[i] += fmt.Sprintf(" nlink %d ctime %d.%d opaque %q", st.Nlink, st.Ctim.Sec, st.Ctim.Nsec, getxattr(filepath.Join(dir, name), "trusted.overlay.opaque"))
	}
	return lines
}

// TestRacer: another process swaps a directory of the target for a symlink to the
// outside, again and again (containerd CVE-2025-47290).
func TestRacer(t *testing.T) {
	root(t)
	top := t.TempDir()
	target, beside := filepath.Join(top, "target"), filepath.Join(top, "victim")
	for _, dir := range []string{target, beside, target + "/d", beside + "/sub"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(beside+"/file", []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(beside, target+"/swap"); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, beside)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, target+"/d", unix.AT_FDCWD, target+"/swap", unix.RENAME_EXCHANGE)
			}
		}
	}()
	var entries []tar.Header
	for i := range 200 {
		entries = append(entries,
			fileEntry(fmt.Sprintf("d/f%d", i), "x"), fileEntry("d/file", "overwritten"), dirEntry(fmt.Sprintf("d/s%d", i)),
			dirEntry("d"), linkEntry("d/l", "x"), hardEntry("d/h", "d/file"), fileEntry("d/sub/in", "x"),
			fileEntry("d/.wh.file", ""), fileEntry("d/.wh..wh..opq", ""), tar.Header{Name: "d/fifo", Typeflag: tar.TypeFifo, Mode: 0o6777, Uid: 5})
	}
	archive := pack(t, entries...)
	for i := range 40 {
		format := []Format{Overlay, Flat}[i%2]
		// An error is a fair answer; something outside is not.
		_, err := apply(t, target, archive, ApplyOptions{Format: format})
		var refusal *safepath.Refusal
		_ = errors.As(err, &refusal)
		if err := Empty(open(t, target)); err != nil {
			t.Logf("empty: %v", err)
		}
		_ = os.Mkdir(target+"/d", 0o755)       // the racer may have left one
		_ = os.Symlink(beside, target+"/swap") // or the other
	}
	close(stop)
	<-stopped
	if after := fingerprint(t, beside); !slices.Equal(before, after) {
		t.Errorf("the directory beside the target has changed:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// FuzzApply: whatever the archive is, nothing panics and nothing leaves the target.
func FuzzApply(f *testing.F) {
	if os.Geteuid() != 0 {
		f.Skip("needs root: files get the owners of the archive")
	}
	f.Add(pack(f, dirEntry("d"), fileEntry("d/f", "x"), linkEntry("l", "/etc"), fileEntry("l/x", "y")))
	f.Add(pack(f, fileEntry("d/.wh.f", ""), fileEntry("d/.wh..wh..opq", ""), hardEntry("h", "d/f")))
	f.Add(pack(f, tar.Header{Name: "f", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		top := t.TempDir()
		target := filepath.Join(top, "target")
		if err := os.Mkdir(target, 0o755); err != nil {
			t.Fatal(err)
		}
		dir := open(t, target)
		limits := Limits{Entries: 100, Bytes: 1 << 20}
		for _, format := range []Format{Overlay, Flat} {
			_, _ = Apply(context.Background(), dir, bytes.NewReader(archive), ApplyOptions{Format: format, Limits: limits}) // any error will do
			if got := namesIn(t, top); !slices.Equal(got, []string{"target"}) {
				t.Errorf("beside the target lie %q", got)
			}
		}
	})
}
