package tree

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

type entry struct {
	name, link, content string
	kind                byte
	mode                int64
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		must(t, w.WriteHeader(&tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.content)), Uid: 3, Gid: 4, ModTime: time.Unix(99, 0)}))
		_, err := io.WriteString(w, e.content)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func packed(t *testing.T, raw []byte, open func(io.Writer) (io.WriteCloser, error)) string {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	must(t, err)
	_, err = w.Write(raw)
	must(t, err)
	must(t, w.Close())
	return b.String()
}

// bzip2 of a tar archive with one file "b" that holds "z": Go has no compressor.
const bzipped = "BZh91AY&SY"

func TestUnpackCompressions(t *testing.T) {
	needRoot(t)
	raw := archive(t, entry{name: "d/", kind: tar.TypeDir, mode: 0o700}, entry{name: "d/f", content: "1", mode: 0o4711})
	for name, content := range map[string]string{
		"tar": string(raw),
		"gz":  packed(t, raw, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		"zst": packed(t, raw, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		"xz":  packed(t, raw, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
	} {
		t.Run(name, func(t *testing.T) {
			to := plant(t)
			c := Copy{From: root(t, plant(t, "x="+content)), To: root(t, to), Sources: []string{"x"}, Dest: "/o/", Unpack: true}
			must(t, c.Do(t.Context()))
			if got := listing(t, to); got != "o/ o/d/ o/d/f=1" {
				t.Error(got)
			}
			st, err := os.Stat(filepath.Join(to, "o/d"))
			must(t, err)
			if st.Mode().Perm() != 0o700 || st.ModTime().Unix() != 99 {
				t.Errorf("directory %v %v", st.Mode(), st.ModTime())
			}
		})
	}
	for name, content := range map[string]string{"text": "hello", "empty": "", "gzip of text": packed(t, []byte("hello"), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }), "broken bzip2": bzipped} {
		t.Run("not "+name, func(t *testing.T) {
			to := plant(t)
			c := Copy{From: root(t, plant(t, "x="+content)), To: root(t, to), Sources: []string{"x"}, Dest: "/o/", Unpack: true}
			must(t, c.Do(t.Context()))
			if got := strings.TrimSuffix(listing(t, to), "="+content); got != "o/ o/x" {
				t.Error(got)
			}
		})
	}
}

// TestUnpackHostile: what an archive names stays below the destination's root, and a
// file outside is never touched.
func TestUnpackHostile(t *testing.T) {
	needRoot(t)
	victim := plant(t, "v=safe")
	for name, entries := range map[string][]entry{
		"dots":                  {{name: "../../../../../../v", content: "x"}},
		"absolute":              {{name: "/etc/x", content: "x"}},
		"link parent":           {{name: "l", link: victim, kind: tar.TypeSymlink}, {name: "l/v", content: "x"}},
		"link dots":             {{name: "l", link: "../../../../../.." + victim, kind: tar.TypeSymlink}, {name: "l/v", content: "x"}},
		"link to file":          {{name: "l", link: victim + "/v", kind: tar.TypeSymlink}, {name: "l", content: "x"}},
		"hard link outside":     {{name: "h", link: "../../../../../../.." + victim + "/v", kind: tar.TypeLink}, {name: "h", content: "x"}},
		"hard link through":     {{name: "l", link: victim, kind: tar.TypeSymlink}, {name: "h", link: "l/v", kind: tar.TypeLink}, {name: "h", content: "x"}},
		"top is a link":         {{name: "./", link: victim, kind: tar.TypeSymlink}, {name: "v", content: "x"}},
		"directory over a link": {{name: "l", link: victim, kind: tar.TypeSymlink}, {name: "l/", kind: tar.TypeDir, mode: 0o777}},
		"twice":                 {{name: "d/f", content: "x"}, {name: "d", content: "x"}, {name: "d/f", content: "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			to := plant(t, "o/")
			_, err := root(t, to).Unpack(t.Context(), bytes.NewReader(archive(t, entries...)), "/o", nil, nil)
			t.Logf("%v; %s", err, listing(t, to))
			if got := listing(t, victim); got != "v=safe" {
				t.Errorf("the victim is now %s", got)
			}
			st, err := os.Stat(victim)
			must(t, err)
			if st.Mode().Perm() == 0o777 {
				t.Error("the victim's directory was changed")
			}
		})
	}
}

// A file that claims to be large is not written to its end when the build is over.
func TestUnpackEnds(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	var head bytes.Buffer
	must(t, tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Mode: 0o644, Size: 1 << 40}))
	_, err := root(t, plant(t, "o/")).Unpack(ctx, io.MultiReader(&head, &zeros{left: 64 << 20, first: cancel}), "/o", nil, nil)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// zeros is a number of zero bytes; first is called when they are read.
type zeros struct {
	left  int
	first func()
}

func (z *zeros) Read(p []byte) (int, error) {
	z.first()
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	clear(p[:n])
	z.left -= n
	return n, nil
}
