package image

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree is a root file system, entry by entry: mode, owner, time, content, target and
// extended attributes.
type tree map[string]string

// treeOf reads an archive.
func treeOf(t *testing.T, name string) tree {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := tree{}
	links := map[string]string{}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(name, err)
		}
		entry := path.Clean(h.Name)
		if h.Typeflag == tar.TypeLink {
			links[entry] = path.Clean(h.Linkname)
			continue
		}
		all[entry] = describe(t, h, r)
	}
	// Which name of a file comes first is the writer's choice.
	for entry, first := range links {
		all[entry] = all[first]
	}
	for _, group := range groups(links) {
		for _, entry := range group {
			all[entry] += " one of " + strings.Join(group, ",")
		}
	}
	delete(all, ".")
	return all
}

func describe(t *testing.T, h *tar.Header, r io.Reader) string {
	t.Helper()
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		t.Fatal(err)
	}
	if h.Typeflag == tar.TypeSymlink {
		h.Mode = 0o777 // the kernel has no other
	}
	text := fmt.Sprintf("%c %04o %d:%d %s %d,%d %x", h.Typeflag, h.Mode&0o7777, h.Uid, h.Gid, h.Linkname, h.Devmajor, h.Devminor, sum.Sum(nil)[:8])
	if h.Typeflag != tar.TypeSymlink { // whose times not everybody keeps
		text += h.ModTime.UTC().Format(" " + time.RFC3339)
	}
	var attrs []string
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			attrs = append(attrs, fmt.Sprintf(" %s=%q", name, value))
		}
	}
	slices.Sort(attrs)
	return text + strings.Join(attrs, "")
}

// groups are the names of each file that has several.
func groups(links map[string]string) [][]string {
	byFirst := map[string][]string{}
	for entry, first := range links {
		byFirst[first] = append(byFirst[first], entry)
	}
	var all [][]string
	for first, entries := range byFirst {
		group := slices.Concat(entries, []string{first})
		slices.Sort(group)
		all = append(all, group)
	}
	return all
}

// equal compares trees; what may differ, since a peer makes it, is left out.
func equal(t *testing.T, what string, got, want tree, except ...string) {
	t.Helper()
	for name, entry := range want {
		if got[name] != entry && !slices.Contains(except, name) {
			t.Errorf("%s: %s\nis   %q\nwant %q", what, name, got[name], entry)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && !slices.Contains(except, name) {
			t.Errorf("%s: %s should not be there", what, name)
		}
	}
}

// capability is security.capability for cap_net_raw=ep, version 2.
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// rootfs writes the archive of a root file system with all that a tar can hold; but
// for devices and foreign owners, where those are impossible.
func (w *world) rootfs() string {
	w.Helper()
	name := w.dir + "/rootfs.tar"
	f, err := os.Create(name)
	if err != nil {
		w.Fatal(err)
	}
	t := tar.NewWriter(f)
	add := func(h tar.Header, text string) {
		h.Size, h.Format = int64(len(text)), tar.FormatPAX
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1e9, 0)
		}
		if w.one {
			h.Uid, h.Gid = 0, 0
		}
		if err := t.WriteHeader(&h); err != nil {
			w.Fatal(err)
		}
		if _, err := io.WriteString(t, text); err != nil {
			w.Fatal(err)
		}
	}
	for _, file := range w.base() {
		h := tar.Header{Name: file.name, Mode: file.mode, Uid: file.uid, Gid: file.gid, Typeflag: tar.TypeReg}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		text := file.text
		if target, link := strings.CutPrefix(text, "-> "); link {
			h.Typeflag, h.Linkname, text = tar.TypeSymlink, target, ""
		} else if strings.HasSuffix(h.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
		add(h, text)
	}
	add(tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o2750, Uid: 1, Gid: 2, ModTime: time.Unix(1234567890, 0)}, "")
	add(tar.Header{Name: "d/setuid", Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 5, Gid: 6}, "program")
	add(tar.Header{Name: "d/link", Typeflag: tar.TypeLink, Linkname: "d/setuid", Mode: 0o4755, Uid: 5, Gid: 6}, "")
	add(tar.Header{Name: "d/fifo", Typeflag: tar.TypeFifo, Mode: 0o600}, "")
	add(tar.Header{Name: "d/none", Typeflag: tar.TypeReg, Mode: 0}, "")
	add(tar.Header{Name: "d/sym", Typeflag: tar.TypeSymlink, Linkname: "/d/../nowhere", Mode: 0o777, Uid: 3, Gid: 4}, "")
	add(tar.Header{Name: "d/" + strings.Repeat("long", 60), Typeflag: tar.TypeReg, Mode: 0o640}, "x")
	add(tar.Header{Name: "d/Grüße \t", Typeflag: tar.TypeReg, Mode: 0o644}, "x")
	if w.uid == 0 {
		add(tar.Header{Name: "d/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3}, "")
		add(tar.Header{Name: "d/ping", Typeflag: tar.TypeReg, Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.note": "a\x00b"}}, "ping")
	}
	if err := errors.Join(t.Close(), f.Close()); err != nil {
		w.Fatal(err)
	}
	return name
}

// container is a name that nobody else on this machine uses, for a cgroup is made of it.
func (w *world) container() string { return path.Base(w.dir) }

// create creates a container. Its process keeps the streams, which cannot be pipes
// that somebody reads to their end.
func (w *world) create(args ...string) {
	w.Helper()
	said, err := os.Create(w.dir + "/said")
	if err != nil {
		w.Fatal(err)
	}
	defer said.Close()
	cmd := w.command(append([]string{"create"}, args...)...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(said.Name())
		w.Fatalf("create: %v %s", err, text)
	}
	w.Cleanup(func() { w.berth("delete", "--force", w.container()) })
}
