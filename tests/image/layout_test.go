package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// file is an entry of a layer. Text that begins with "-> " makes a link; a name that
// ends with a slash is a directory.
type file struct {
	name, text string
	mode       int64
	uid, gid   int
}

// name is what the tests' image is called.
const name = "localhost/test:1"

// layout writes an image as an OCI layout and returns what to call it: a base with
// busybox, and the layers.
func (w *world) layout(config string, layers ...[]file) string {
	w.Helper()
	dir, err := os.MkdirTemp(w.dir, "layout")
	if err != nil {
		w.Fatal(err)
	}
	blobs := filepath.Join(dir, "blobs/sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		w.Fatal(err)
	}
	put := func(name string, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			w.Fatal(err)
		}
	}
	add := func(mediaType string, raw []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		put("blobs/sha256/"+d.Digest.Encoded(), raw)
		return d
	}
	var m ocispec.Manifest
	m.SchemaVersion, m.MediaType = 2, ocispec.MediaTypeImageManifest
	var diffIDs []string
	for _, files := range append([][]file{w.base()}, layers...) {
		raw := archive(w, files)
		diffIDs = append(diffIDs, digest.FromBytes(raw).String())
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		if err != nil {
			w.Fatal(err)
		}
		if _, err := z.Write(raw); err != nil {
			w.Fatal(err)
		}
		if err := z.Close(); err != nil {
			w.Fatal(err)
		}
		m.Layers = append(m.Layers, add(ocispec.MediaTypeImageLayerGzip, packed.Bytes()))
	}
	list := encode(w, diffIDs)
	raw := []byte(`{"os": "linux", "architecture": "` + architecture() + `", "config": ` + config + `, "rootfs": {"type": "layers", "diff_ids": ` + string(list) + `}}`)
	if !json.Valid(raw) {
		w.Fatalf("not JSON: %s", raw)
	}
	m.Config = add(ocispec.MediaTypeImageConfig, raw)
	d := add(m.MediaType, encode(w, m))
	d.Annotations = map[string]string{ocispec.AnnotationRefName: name}
	var index ocispec.Index
	index.SchemaVersion, index.Manifests = 2, []ocispec.Descriptor{d}
	put("index.json", encode(w, index))
	put("oci-layout", []byte(`{"imageLayoutVersion": "1.0.0"}`))
	if err := os.Chmod(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	return "oci:" + dir
}

func encode(w *world, v any) []byte {
	w.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return raw
}

func archive(w *world, files []file) []byte {
	w.Helper()
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.gid, ModTime: time.Unix(1e9, 0), Typeflag: tar.TypeReg, Size: int64(len(f.text))}
		target, link := strings.CutPrefix(f.text, "-> ")
		switch {
		case link:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, target, 0
		case strings.HasSuffix(f.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			w.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := t.Write([]byte(f.text)); err != nil {
				w.Fatal(err)
			}
		}
	}
	if err := t.Close(); err != nil {
		w.Fatal(err)
	}
	return b.Bytes()
}

// base is a small root file system. Where a user has one id, everything in it is
// root's whoever it belongs to.
func (w *world) base() []file {
	w.Helper()
	path := os.Getenv("BERTH_BUSYBOX")
	if path == "" {
		path = "/bin/busybox"
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		w.Skip("needs a static busybox:", err)
	}
	files := []file{
		{name: "bin/"}, {name: "etc/"}, {name: "srv/", uid: 1000, gid: 1001}, {name: "tmp/", mode: 0o1777},
		{name: "bin/busybox", text: string(busybox)},
		{name: "etc/passwd", text: "root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n99999999999:x:0:0::/:\n", mode: 0o644},
		{name: "etc/group", text: "root:x:0:\nweb:x:1001:\naudio:x:29:web\n", mode: 0o644},
	}
	for _, applet := range []string{"sh", "ls", "cat", "id", "env", "pwd", "touch", "rm", "mkdir", "sleep", "stat", "echo", "hostname", "test", "chmod"} {
		files = append(files, file{name: "bin/" + applet, text: "-> busybox"})
	}
	return files
}

// architecture is the host's, in the words of images.
func architecture() string { return runtime.GOARCH }
