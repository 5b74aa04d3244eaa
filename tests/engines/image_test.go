package engines

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "berth/tests/harness"
)

// imageName is what the image is called by all engines.
const imageName = "localhost/berth-test:latest"

// tarOf packs files; a nil content is a directory, one that begins with "->" a link.
func tarOf(x *Test, names []string, files map[string][]byte) []byte {
	x.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		data := files[name]
		h := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}
		if strings.HasPrefix(name, "etc/") && data != nil {
			h.Mode = 0o644
		}
		switch {
		case data == nil:
			h.Typeflag = tar.TypeDir
		case bytes.HasPrefix(data, []byte("->")):
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(data[2:]), 0
		}
		x.Must(w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write(data)
			x.Must(err)
		}
	}
	x.Must(w.Close())
	return b.Bytes()
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// rootTar packs a root file system with busybox.
func rootTar(x *Test) []byte {
	x.Helper()
	busybox, err := os.ReadFile(Busybox())
	x.Must(err)
	names := []string{"bin/", "dev/", "etc/", "proc/", "sys/", "tmp/", "root/", "run/", "var/", "bin/busybox", "etc/passwd", "etc/group"}
	files := map[string][]byte{
		"bin/busybox": busybox, "etc/passwd": []byte("root:x:0:0:root:/root:/bin/sh\n"), "etc/group": []byte("root:x:0:\n"),
	}
	for _, applet := range []string{"sh", "true", "echo", "sleep", "cat", "id", "ls", "stty", "hostname", "ps", "tty", "kill"} {
		names = append(names, "bin/"+applet)
		files["bin/"+applet] = []byte("->busybox")
	}
	return tarOf(x, names, files)
}

// ociArchive writes an OCI image archive of it and returns its path.
func ociArchive(x *Test) string {
	x.Helper()
	layer := rootTar(x)
	encode := func(v any) []byte {
		data, err := json.Marshal(v)
		x.Must(err)
		return data
	}
	type object = map[string]any
	describe := func(kind string, data []byte) object {
		return object{"mediaType": kind, "digest": "sha256:" + digest(data), "size": len(data)}
	}
	config := encode(object{
		"architecture": Arch(), "os": "linux",
		"config": object{"Cmd": []string{"sh"}, "Env": []string{"PATH=/bin"}},
		"rootfs": object{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	manifest := encode(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": describe("application/vnd.oci.image.config.v1+json", config),
		"layers": []object{describe("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	entry := describe("application/vnd.oci.image.manifest.v1+json", manifest)
	entry["annotations"] = object{"org.opencontainers.image.ref.name": imageName, "io.containerd.image.name": imageName}
	index := encode(object{"schemaVersion": 2, "manifests": []object{entry}})
	archive := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": index}
	order := []string{"oci-layout", "index.json"}
	for _, blob := range [][]byte{layer, config, manifest} {
		name := "blobs/sha256/" + digest(blob)
		archive[name] = blob
		order = append(order, name)
	}
	path := filepath.Join(x.Dir, "image.tar")
	x.Must(os.WriteFile(path, tarOf(x, order, archive), 0o644))
	return path
}
