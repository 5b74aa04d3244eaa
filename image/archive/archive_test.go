package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/image"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// entry is one of a tar archive; without a type it is a regular file.
type entry struct {
	name, content string
	kind          byte
	link          string
}

func tarOf(entries ...entry) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: e.kind, Linkname: e.link}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func zip(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func describe(mediaType string, raw []byte) image.Descriptor {
	return image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

func reference(t *testing.T, s string) image.Reference {
	t.Helper()
	r, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put stores an image with one gzip layer that holds a file of the given content.
func put(t *testing.T, s *store.Store, name, content, platform string) image.Descriptor {
	t.Helper()
	archive := tarOf(entry{name: "file", content: content})
	p, err := image.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	write := func(mediaType string, raw []byte) image.Descriptor {
		d := describe(mediaType, raw)
		if err := s.WriteBlob(d, raw); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config := ocispec.Image{Platform: p}
	config.RootFS.Type = "layers"
	config.RootFS.DiffIDs = []digest.Digest{digest.FromBytes(archive)}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	m.Layers = []image.Descriptor{write(ocispec.MediaTypeImageLayerGzip, zip(archive))}
	m.Config = write(ocispec.MediaTypeImageConfig, mustJSON(config))
	d := write(m.MediaType, mustJSON(m))
	d.Platform = &p
	if name != "" {
		if err := s.Tag(reference(t, name), d); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// check reads an image of a source as a pull does.
func check(t *testing.T, a *Archive, e Entry, wantFile string) {
	t.Helper()
	raw, err := a.Manifest(t.Context(), e.Name, e.Descriptor)
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.ParseManifest(e.Descriptor.MediaType, raw)
	if err != nil || m.Image == nil {
		t.Fatalf("%v: %v", e, err)
	}
	for _, d := range append(slices.Clone(m.Image.Layers), m.Image.Config) {
		if got := readBlob(t, a, d, 0); digest.FromBytes(got) != d.Digest || int64(len(got)) != d.Size {
			t.Errorf("blob %s has the digest %s", d.Digest, digest.FromBytes(got))
		} else if tail := readBlob(t, a, d, 3); !bytes.Equal(tail, got[3:]) {
			t.Error("from an offset on it reads something else")
		}
	}
	layer := readBlob(t, a, m.Image.Layers[0], 0)
	if layer[0] == 0x1f {
		z, err := gzip.NewReader(bytes.NewReader(layer))
		if err != nil {
			t.Fatal(err)
		}
		if layer, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(layer, tarOf(entry{name: "file", content: wantFile})) {
		t.Errorf("the layer does not hold %q", wantFile)
	}
}

func readBlob(t *testing.T, a *Archive, d image.Descriptor, offset int64) []byte {
	t.Helper()
	r, err := a.Blob(t.Context(), image.Reference{}, d, offset)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func openBytes(t *testing.T, raw []byte) (*Archive, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), path, Options{Temp: t.TempDir()})
	if err == nil {
		t.Cleanup(func() { a.Close() })
	}
	return a, err
}

func TestSaveAndOpen(t *testing.T) {
	s := openStore(t)
	host := image.FormatPlatform(image.HostPlatform())
	one := put(t, s, "one", "first", host)
	two := put(t, s, "example.com/two:2", "second", host)
	items := []Item{{reference(t, "one"), one}, {reference(t, "example.com/two:2"), two}, {reference(t, "one:again"), one}, {image.Reference{}, two}}
	dir := filepath.Join(t.TempDir(), "layout")
	if err := SaveDir(t.Context(), dir, s, items, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	layout, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer layout.Close()
	opened := map[string]*Archive{"layout": layout}
	for _, docker := range []bool{true, false} {
		var saved, again bytes.Buffer
		for _, w := range []io.Writer{&saved, &again} {
			if err := Save(t.Context(), w, s, items, SaveOptions{Docker: docker}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(saved.Bytes(), again.Bytes()) {
			t.Error("saved twice it differs")
		}
		name := fmt.Sprintf("docker %v", docker)
		if opened[name], err = openBytes(t, saved.Bytes()); err != nil {
			t.Fatal(err)
		}
		if opened[name+" gzip"], err = openBytes(t, zip(saved.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range opened {
		var names []string
		for _, e := range a.Entries() {
			names = append(names, e.Name.String())
			check(t, a, e, map[digest.Digest]string{one.Digest: "first", two.Digest: "second"}[e.Descriptor.Digest])
		}
		if want := []string{"docker.io/library/one:latest", "example.com/two:2", "docker.io/library/one:again", ""}; !slices.Equal(names, want) {
			t.Errorf("%s: images %q", name, names)
		}
		if d, _, err := a.Resolve(t.Context(), reference(t, "one:again")); err != nil || d.Digest != one.Digest {
			t.Errorf("%s: one:again is %v, %v", name, d, err)
		}
		byDigest, err := reference(t, "any").WithDigest(two.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if d, _, err := a.Resolve(t.Context(), byDigest); err != nil || d.Digest != two.Digest {
			t.Errorf("%s: by digest %v, %v", name, d, err)
		}
		if _, _, err := a.Resolve(t.Context(), reference(t, "none")); !errors.Is(err, image.ErrNotFound) {
			t.Errorf("%s: what is not there: %v", name, err)
		}
		if _, _, err := a.Resolve(t.Context(), image.Reference{}); err == nil {
			t.Errorf("%s: any of several images", name)
		}
		if _, err := a.BlobRange(t.Context(), image.Reference{}, one, 0, 1); !errors.Is(err, image.ErrNoRange) {
			t.Error(err)
		}
	}
}

// TestSaveDirKeeps: a layout grows, and an image of the same name is replaced.
func TestSaveDirKeeps(t *testing.T) {
	s := openStore(t)
	a, b := put(t, s, "", "a", "linux/amd64"), put(t, s, "", "b", "linux/amd64")
	dir := t.TempDir()
	for _, items := range [][]Item{{{reference(t, "x"), a}}, {{reference(t, "y"), a}}, {{reference(t, "x"), b}}} {
		if err := SaveDir(t.Context(), dir, s, items, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer layout.Close()
	if len(layout.Entries()) != 2 {
		t.Errorf("entries %v", layout.Entries())
	}
	for name, content := range map[string]string{"x": "b", "y": "a"} {
		e, err := layout.Find(reference(t, name))
		if err != nil {
			t.Fatal(err)
		}
		check(t, layout, e, content)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SaveDir(t.Context(), other, s, []Item{{Descriptor: a}}, SaveOptions{}); err == nil {
		t.Error("saved among other files")
	}
}

func TestSaveIndex(t *testing.T) {
	s := openStore(t)
	host := put(t, s, "", "host", image.FormatPlatform(image.HostPlatform()))
	other := put(t, s, "", "other", "linux/s390x")
	index := func(list ...image.Descriptor) image.Descriptor {
		raw := mustJSON(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: list})
		d := describe(ocispec.MediaTypeImageIndex, raw)
		if err := s.WriteBlob(d, raw); err != nil {
			t.Fatal(err)
		}
		return d
	}
	absent := describe(ocispec.MediaTypeImageManifest, []byte("absent"))
	absent.Platform = &image.Platform{OS: "linux", Architecture: "riscv64"}
	full, sparse := index(host, other), index(host, absent)
	foreign, err := image.ParsePlatform("linux/s390x")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		d    image.Descriptor
		o    SaveOptions
		want image.Descriptor
	}{
		{full, SaveOptions{}, full},
		{full, SaveOptions{Docker: true}, host},
		{full, SaveOptions{Platform: &foreign}, other},
		{full, SaveOptions{Docker: true, Platform: &foreign}, other},
		{sparse, SaveOptions{}, host},
		{other, SaveOptions{Platform: &foreign}, other},
	} {
		var saved bytes.Buffer
		if err := Save(t.Context(), &saved, s, []Item{{reference(t, "x"), test.d}}, test.o); err != nil {
			t.Fatal(err)
		}
		a, err := openBytes(t, saved.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d, _, err := a.Resolve(t.Context(), reference(t, "x")); err != nil || d.Digest != test.want.Digest {
			t.Errorf("%+v: got %v, %v", test.o, d, err)
		}
	}
	for _, d := range []image.Descriptor{host, sparse} {
		if err := Save(t.Context(), io.Discard, s, []Item{{Descriptor: d}}, SaveOptions{Platform: &foreign}); err == nil {
			t.Error("a platform that is not there was saved")
		}
	}
}

// TestSaveVerifies: a damaged blob is not passed on.
func TestSaveVerifies(t *testing.T) {
	s := openStore(t)
	d := put(t, s, "x", "content", "linux/amd64")
	m, _, err := s.ReadManifest(d)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Blob(m.Image.Layers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw := make([]byte, m.Image.Layers[0].Size)
	if err := os.Chmod(f.Name(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Name(), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Save(t.Context(), io.Discard, s, []Item{{Descriptor: d}}, SaveOptions{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged blob was saved: %v", err)
	}
}

// TestPipe: an archive may come through a pipe.
func TestPipe(t *testing.T) {
	s := openStore(t)
	d := put(t, s, "x", "content", "linux/amd64")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	go func() {
		saved <- errors.Join(Save(t.Context(), w, s, []Item{{reference(t, "x"), d}}, SaveOptions{}), w.Close())
	}()
	a, err := OpenFile(t.Context(), r, Options{Temp: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	check(t, a, a.Entries()[0], "content")
}

func TestParseLocation(t *testing.T) {
	for s, want := range map[string]Location{
		"oci:/a/b":               {"oci", "/a/b", ""},
		"oci:dir/x:1.0":          {"oci", "dir/x", "1.0"},
		"oci:dir:docker.io/a:1":  {"oci", "dir", "docker.io/a:1"},
		"docker-archive:x.tar":   {"docker-archive", "x.tar", ""},
		"docker-archive:x.tar:a": {"docker-archive", "x.tar", "a"},
		"oci-archive:x:y":        {"oci-archive", "x", "y"},
		"oci:1.0":                {}, "busybox": {}, "busybox:1": {}, "oci": {}, "oci:": {}, "localhost:5000/x": {}, "oci/x:1": {},
	} {
		got, ok := ParseLocation(s)
		if got != want || ok != (want != Location{}) {
			t.Errorf("%s is %+v, %v", s, got, ok)
		}
		if ok && got.String() != s {
			t.Errorf("%s became %s", s, got)
		}
	}
}

// TestSkopeoDir: what skopeo and podman write as "dir".
func TestSkopeoDir(t *testing.T) {
	s := openStore(t)
	d := put(t, s, "x", "content", "linux/amd64")
	m, raw, err := s.ReadManifest(d)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("manifest.json", raw)
	for _, blob := range append(slices.Clone(m.Image.Layers), m.Image.Config) {
		content, err := s.ReadBlob(blob, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		write(blob.Digest.Encoded(), content)
	}
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if e := a.Entries(); len(e) != 1 || e[0].Descriptor.Digest != d.Digest {
		t.Fatalf("entries %v", e)
	}
	check(t, a, a.Entries()[0], "content")
	write("manifest.json", []byte(`{"schemaVersion":2,"config":{"digest":"sha256:../../x"},"layers":[]}`))
	if _, err := Open(t.Context(), dir, Options{}); err == nil {
		t.Error("a digest that is a path was taken")
	}
}

// TestReplaceFollowsTheUmask: who may read an archive is the caller's to say.
func TestReplaceFollowsTheUmask(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.tar")
	for mask, want := range map[int]os.FileMode{0o077: 0o600, 0o022: 0o644} {
		old := unix.Umask(mask)
		err := Replace(name, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err })
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != want {
			t.Errorf("umask %o: %v, %v", mask, st.Mode(), err)
		}
	}
}
