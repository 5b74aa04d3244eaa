package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/image"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// docker makes docker's archive of one image; its layer is layer.tar.
func docker(layer []byte, extra ...entry) []entry {
	plain := layer
	if bytes.HasPrefix(layer, []byte{0x1f, 0x8b}) {
		plain = tarOf(entry{name: "file", content: "content"})
	}
	config := ocispec.Image{Platform: image.HostPlatform()}
	config.RootFS.DiffIDs = []digest.Digest{digest.FromBytes(plain)}
	return append([]entry{
		{name: "config.json", content: string(mustJSON(config))},
		{name: "layer.tar", content: string(layer)},
		{name: dockerManifest, content: `[{"Config":"config.json","RepoTags":["app:1","other.example/app:2"],"Layers":["layer.tar"]}]`},
	}, extra...)
}

func TestDocker(t *testing.T) {
	plain := tarOf(entry{name: "file", content: "content"})
	for name, entries := range map[string][]entry{
		"plain": docker(plain),
		"gzip":  docker(zip(plain)),
		"dots":  {{name: "./config.json", content: docker(plain)[0].content}, {name: "./layer.tar", content: string(plain)}, {name: "./manifest.json", content: docker(plain)[2].content}},
		"link": {
			docker(plain)[0],
			{name: "a/layer.tar", content: string(plain)},
			{name: "b", kind: tar.TypeDir},
			{name: "b/layer.tar", kind: tar.TypeSymlink, link: "../a/layer.tar"},
			{name: dockerManifest, content: `[{"Config":"config.json","RepoTags":["app:1","other.example/app:2"],"Layers":["b/layer.tar"]}]`},
		},
	} {
		a, err := openBytes(t, tarOf(entries...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e := a.Entries(); len(e) != 2 || e[0].Name.String() != "docker.io/library/app:1" || e[1].Name.String() != "other.example/app:2" {
			t.Errorf("%s: images %v", name, e)
			continue
		}
		check(t, a, a.Entries()[1], "content")
	}
	// Without a name.
	entries := docker(plain)
	entries[2].content = `[{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}]`
	a, err := openBytes(t, tarOf(entries...))
	if err != nil {
		t.Fatal(err)
	}
	if d, _, err := a.Resolve(t.Context(), image.Reference{}); err != nil || d.Digest != a.Entries()[0].Descriptor.Digest {
		t.Errorf("the only image: %v, %v", d, err)
	}
}

func TestHostileArchives(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("host secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := tarOf(entry{name: "file", content: "content"})
	manifest := func(text string) []entry {
		e := docker(plain)
		e[2].content = text
		return e
	}
	many := strings.Repeat(`{"Config":"config.json","Layers":["layer.tar"]},`, maxImages) + `{"Config":"config.json","Layers":["layer.tar"]}`
	layout := entry{name: ocispec.ImageLayoutFile, content: `{"imageLayoutVersion":"1.0.0"}`}
	index := func(text string) []entry {
		return []entry{layout, {name: ocispec.ImageIndexFile, content: text}}
	}
	d := describe(ocispec.MediaTypeImageManifest, []byte("x"))
	described := func(name string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":1,"annotations":{%q:%q}}`, d.MediaType, d.Digest, ocispec.AnnotationRefName, name)
	}
	for name, test := range map[string]struct {
		raw  []byte
		says string
	}{
		"nothing":            {nil, "neither"},
		"no tar":             {[]byte(strings.Repeat("no archive ", 200)), "nor a tar archive"},
		"bzip2":              {[]byte("BZh91AY&SY" + strings.Repeat("x", 600)), "bzip2"},
		"another archive":    {plain, "neither"},
		"name twice":         {tarOf(docker(plain, entry{name: "layer.tar", content: "other"})...), "twice"},
		"name twice by dot":  {tarOf(docker(plain, entry{name: "./manifest.json", content: "[]"})...), "twice"},
		"path to the host":   {tarOf(manifest(`[{"Config":"` + secret + `","Layers":["layer.tar"]}]`)...), "no such file"},
		"path out of it":     {tarOf(manifest(`[{"Config":"../../../../../../../..` + secret + `","Layers":[]}]`)...), "no such file"},
		"config is a link":   {tarOf(append(manifest(`[{"Config":"link","Layers":["layer.tar"]}]`), entry{name: "link", kind: tar.TypeSymlink, link: secret})...), "no such file"},
		"links in a circle":  {tarOf(append(manifest(`[{"Config":"a","Layers":["layer.tar"]}]`), entry{name: "a", kind: tar.TypeSymlink, link: "b"}, entry{name: "b", kind: tar.TypeSymlink, link: "a"})...), "symbolic links"},
		"config is a device": {tarOf(append(manifest(`[{"Config":"dev","Layers":["layer.tar"]}]`), entry{name: "dev", kind: tar.TypeChar})...), "no such file"},
		"fewer layers":       {tarOf(manifest(`[{"Config":"config.json","Layers":[]}]`)...), "lists 1 layers, the archive 0"},
		"layer missing":      {tarOf(manifest(`[{"Config":"config.json","Layers":["none"]}]`)...), "layer 0"},
		"names twice":        {tarOf(manifest(`[{"Config":"config.json","RepoTags":["a"],"Layers":["layer.tar"]},{"Config":"config.json","RepoTags":["a:latest"],"Layers":["layer.tar"]}]`)...), "two images"},
		"name is none":       {tarOf(manifest(`[{"Config":"config.json","RepoTags":["../../etc"],"Layers":["layer.tar"]}]`)...), "reference"},
		"too many images":    {tarOf(manifest("[" + many + "]")...), "above the limit of 1000"},
		"huge manifest":      {tarOf(manifest(strings.Repeat(" ", maxJSON+1))...), "above the limit"},
		"huge config":        {tarOf(append(manifest(`[{"Config":"big","Layers":[]}]`), entry{name: "big", content: strings.Repeat(" ", image.MaxManifest+1)})...), "above the limit"},
		"long name":          {tarOf(entry{name: strings.Repeat("a/", 3000) + "a"}), "limit of 1024"},
		"layout without":     {tarOf(layout), "index.json is missing"},
		"layout of tomorrow": {tarOf(entry{name: ocispec.ImageLayoutFile, content: `{"imageLayoutVersion":"2.0.0"}`}), "not 1.0"},
		"digest is a path":   {tarOf(index(`{"manifests":[{"digest":"sha256:../../../secret","size":1}]}`)...), "digest"},
		"negative size":      {tarOf(index(`{"manifests":[{"digest":"` + d.Digest.String() + `","size":-1}]}`)...), "negative"},
		"two of a name":      {tarOf(index(`{"manifests":[` + described("a:1") + "," + described("docker.io/library/a:1") + `]}`)...), "two images"},
		"index is not JSON":  {tarOf(index(`{`)...), "index.json"},
		"huge index":         {tarOf(index(strings.Repeat(" ", maxJSON+1))...), "above the limit"},
		"cut in the middle":  {tarOf(docker(plain)...)[:560], "read archive"},
		"gzip cut":           {zip(tarOf(docker(plain)...))[:100], "copy archive"},
	} {
		a, err := openBytes(t, test.raw)
		if err == nil {
			t.Errorf("%s: opened, %v", name, a.Entries())
		} else if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: the error %q does not say %q", name, err, test.says)
		}
	}
}

func TestSparse(t *testing.T) {
	// GNU's old format: what is stored is not what is read.
	raw := tarOf(docker(tarOf(entry{name: "file", content: "content"}))...)
	raw[156] = tar.TypeGNUSparse
	copy(raw[257:], "ustar  \x00")
	sum := 0
	copy(raw[148:156], "        ")
	for _, b := range raw[:512] {
		sum += int(b)
	}
	copy(raw[148:], fmt.Sprintf("%06o\x00 ", sum))
	if _, err := openBytes(t, raw); err == nil {
		t.Error("a sparse file was taken")
	}
}

// TestHostileLayout: what a layout on disk holds beside regular files is refused
// (GHSA-r3h2): a blob could be a link to any file of the host.
func TestHostileLayout(t *testing.T) {
	s := openStore(t)
	d := put(t, s, "x", "content", "linux/amd64")
	m, _, err := s.ReadManifest(d)
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Image.Layers[0]
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(dir, blob string) error{
		"blob is a link": func(_, blob string) error {
			return errors.Join(os.Rename(blob, outside+"/blob"), os.Symlink(outside+"/blob", blob))
		},
		"directory is a link": func(dir, _ string) error {
			return errors.Join(os.Rename(dir+"/blobs", outside+"/blobs"), os.Symlink(outside+"/blobs", dir+"/blobs"))
		},
		"blob is a fifo":        func(_, blob string) error { return errors.Join(os.Remove(blob), unix.Mkfifo(blob, 0o600)) },
		"blob is a directory":   func(_, blob string) error { return errors.Join(os.Remove(blob), os.Mkdir(blob, 0o700)) },
		"blob has another size": func(_, blob string) error { return os.WriteFile(blob, []byte("x"), 0o600) },
		"blob is missing":       func(_, blob string) error { return os.Remove(blob) },
	} {
		dir := t.TempDir()
		if err := SaveDir(t.Context(), dir, s, []Item{{reference(t, "x"), d}}, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := spoil(dir, filepath.Join(dir, blobFile(layer.Digest))); err != nil {
			t.Fatal(err)
		}
		a, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := a.Blob(t.Context(), image.Reference{}, layer, 0); err == nil {
			raw, _ := io.ReadAll(r)
			t.Errorf("%s: read %q", name, raw)
		}
		a.Close()
	}
	// The index as a link.
	dir := t.TempDir()
	if err := SaveDir(t.Context(), dir, s, []Item{{reference(t, "x"), d}}, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, ocispec.ImageIndexFile)
	if err := errors.Join(os.Rename(index, outside+"/index"), os.Symlink(outside+"/index", index)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("the index is a link: %v", err)
	}
}

// TestWrongManifest: a manifest is verified here, blobs by who fetches them.
func TestWrongManifest(t *testing.T) {
	s := openStore(t)
	d := put(t, s, "x", "content", "linux/amd64")
	dir := t.TempDir()
	if err := SaveDir(t.Context(), dir, s, []Item{{reference(t, "x"), d}}, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	blob := filepath.Join(dir, blobFile(d.Digest))
	if err := os.WriteFile(blob, bytes.Repeat([]byte(" "), int(d.Size)), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, _, err := a.Resolve(t.Context(), reference(t, "x")); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("a manifest of another digest: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(tarOf(docker(tarOf(entry{name: "file", content: "content"}))...))
	f.Add(tarOf(entry{name: ocispec.ImageLayoutFile, content: `{"imageLayoutVersion":"1.0.0"}`}, entry{name: ocispec.ImageIndexFile, content: `{"manifests":[]}`}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := openBytes(t, raw)
		if err != nil {
			return
		}
		for _, e := range a.Entries() {
			if err := image.CheckDescriptor(e.Descriptor); err != nil {
				t.Fatal(err)
			}
			got, err := a.Manifest(t.Context(), e.Name, e.Descriptor)
			if err == nil && digest.FromBytes(got) != e.Descriptor.Digest && e.Descriptor.Digest.Algorithm() == digest.SHA256 {
				t.Fatal("an unverified manifest")
			}
		}
	})
}
