package build

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// applets are the programs of the base image; all are links to busybox.
const applets = "sh cat ls mkdir rmdir ln chmod chown id env echo printf touch stat rm mv cp test pwd true false sleep wc sort find head tail grep sed sync hostname date dd mkfifo mknod mount nc ip readlink tar sha256sum kill ps tee dirname basename"

// writeBase writes the image "base" as an OCI archive: a busybox, a few users and
// the usual directories in one layer, a second layer with a marker.
func writeBase(t *testing.T, file string) {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox: the base image of the tests is made from a static one (Debian: busybox-static)")
	}
	program, err := os.ReadFile(busybox)
	must(t, err)
	if out, err := exec.Command(busybox, "--list").Output(); err != nil || len(out) == 0 {
		t.Skipf("%s --list: %v", busybox, err)
	}
	first := newLayer()
	for _, dir := range []string{"bin", "etc", "home", "home/app", "lib", "proc", "root", "sys", "dev", "usr", "usr/bin", "var", "var/lib"} {
		first.dir(dir, 0o755)
	}
	first.dir("tmp", 0o1777)
	first.file("bin/busybox", string(program), 0o755)
	list := strings.Fields(applets)
	slices.Sort(list)
	for _, name := range list {
		first.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}, "")
	}
	first.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\nweb:x:1001:1002::/var:/bin/sh\n", 0o644)
	first.file("etc/group", "root:x:0:\nstaff:x:50:app,web\napp:x:1000:\nweb:x:1002:\nnumbers:x:4242:\n", 0o644)
	second := newLayer()
	second.file("etc/base", "base\n", 0o644)
	second.file("etc/replaced", "base\n", 0o600)
	second.dir("opt", 0o755)
	second.dir("opt/tree", 0o750)
	second.file("opt/tree/a", "a\n", 0o644)
	second.file("opt/tree/b", "b\n", 0o644)
	second.add(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/noted", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.user.note": "a,b"}}, "noted\n")
	second.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: "opt/link", Linkname: "tree", Mode: 0o777}, "")
	second.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: "opt/out", Linkname: "/../../../../etc", Mode: 0o777}, "")

	writeArchive(t, file, "docker.io/library/base:latest", []*layer{first, second}, map[string]any{
		"Env": []string{"PATH=/bin:/usr/bin", "BASE=1"}, "Cmd": []string{"/bin/sh"},
	})
	onbuild := newLayer()
	onbuild.file("etc/onbuild", "", 0o644)
	writeArchive(t, file+".onbuild", "docker.io/library/onbuild:latest", []*layer{first, second, onbuild}, map[string]any{
		"Env":     []string{"PATH=/bin:/usr/bin"},
		"OnBuild": []string{"COPY seed /seed", "RUN echo triggered > /triggered"},
	})
}

type layer struct {
	raw bytes.Buffer
	w   *tar.Writer
}

func newLayer() *layer {
	l := &layer{}
	l.w = tar.NewWriter(&l.raw)
	return l
}

func (l *layer) add(h *tar.Header, content string) {
	h.Size = int64(len(content))
	h.ModTime = time.Unix(1_000_000_000, 0)
	if err := l.w.WriteHeader(h); err != nil {
		panic(err)
	}
	if _, err := l.w.Write([]byte(content)); err != nil {
		panic(err)
	}
}

func (l *layer) dir(name string, mode int64) {
	l.add(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, "")
}

func (l *layer) file(name, content string, mode int64) {
	l.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

// writeArchive writes an OCI archive of one image.
func writeArchive(t *testing.T, file, name string, layers []*layer, settings map[string]any) {
	t.Helper()
	out := newLayer()
	add := func(raw []byte) map[string]any {
		sum := sha256.Sum256(raw)
		out.file("blobs/sha256/"+hex.EncodeToString(sum[:]), string(raw), 0o644)
		return map[string]any{"digest": "sha256:" + hex.EncodeToString(sum[:]), "size": len(raw)}
	}
	addJSON := func(mediaType string, v any) map[string]any {
		raw, err := json.Marshal(v)
		must(t, err)
		d := add(raw)
		d["mediaType"] = mediaType
		return d
	}
	var diffIDs []string
	var descriptors, history []map[string]any
	for i, l := range layers {
		must(t, l.w.Flush())
		d := add(l.raw.Bytes())
		d["mediaType"] = "application/vnd.oci.image.layer.v1.tar"
		descriptors = append(descriptors, d)
		diffIDs = append(diffIDs, fmt.Sprint(d["digest"]))
		history = append(history, map[string]any{"created": "2001-09-09T01:46:40Z", "created_by": fmt.Sprintf("base layer %d", i)})
	}
	config := addJSON("application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": goarch, "os": "linux", "created": "2001-09-09T01:46:40Z", "config": settings, "history": history,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	manifest := addJSON("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": descriptors,
	})
	manifest["annotations"] = map[string]string{"org.opencontainers.image.ref.name": name}
	raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}})
	must(t, err)
	out.file("index.json", string(raw), 0o644)
	out.file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`, 0o644)
	must(t, out.w.Close())
	must(t, os.WriteFile(file, out.raw.Bytes(), 0o600))
}
