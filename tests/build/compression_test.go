package build

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// layerTypes builds into an archive and returns the compressions of the layers.
func (p *project) layerTypes(args ...string) string {
	p.t.Helper()
	file := filepath.Join(tempDir(p.t), "image.tar")
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "@file", file)
	}
	if code, out := p.b.berth(p.t, nil, append(append([]string{"build"}, args...), p.dir)...); code != 0 {
		p.t.Fatalf("%v: status %d:\n%s", args, code, out)
	}
	blobs, err := readTar(file)
	must(p.t, err)
	var top struct{ Manifests []struct{ Digest string } }
	must(p.t, json.Unmarshal(blobs["index.json"], &top))
	var manifest struct{ Layers []struct{ MediaType string } }
	must(p.t, blob(blobs, top.Manifests[0].Digest, &manifest))
	var kinds []string
	for _, l := range manifest.Layers {
		kinds = append(kinds, strings.TrimPrefix(l.MediaType, "application/vnd.oci.image.layer.v1."))
	}
	return strings.Join(kinds, " ")
}

// TestCompression: the layers of the build are compressed as asked for, those of the
// base if that is forced; the cache does not care, and what comes back is the same.
func TestCompression(t *testing.T) {
	host := registry(t)
	b := newBuilder(t)
	files := map[string]string{"Dockerfile": "FROM base\nCOPY f /f\nRUN echo ran-a-$((1+2)) > /a; cat /a\n", "f": "1\n"}
	p := b.project(t, files)
	base := strings.Repeat("tar ", baseLayers) // as they were loaded
	for _, c := range []struct{ flags, want string }{
		{"", base + "tar+gzip tar+gzip"},
		{",compression=zstd", base + "tar+zstd tar+zstd"},
		{",compression=zstd,compression-level=19,force-compression=true", strings.Repeat("tar+zstd ", baseLayers) + "tar+zstd tar+zstd"},
		{",compression=uncompressed", base + "tar tar"},
		{",compression=gzip,compression-level=1", base + "tar+gzip tar+gzip"},
	} {
		if have := p.layerTypes("--output", "type=oci,dest=@file"+c.flags); have != c.want {
			t.Errorf("%q: the layers are %s, want %s", c.flags, have, c.want)
		}
	}
	ref := host + "/team/zstd:1"
	if code, out := b.berth(t, nil, "build", "--output", "type=registry,compression=zstd,force-compression=true,name="+ref, "--cache-to", "type=inline", p.dir); code != 0 {
		t.Fatalf("status %d:\n%s", code, out)
	}
	q := newBuilder(t).project(t, files)
	tree := filepath.Join(tempDir(t), "tree")
	code, out := q.b.berth(t, nil, "build", "--progress", "plain", "--cache-from", ref, "--output", tree, q.dir)
	if raw, err := os.ReadFile(filepath.Join(tree, "a")); code != 0 || string(raw) != "ran-a-3\n" || ran(out) != "" {
		t.Errorf("with the cache of the image: status %d, a is %q, %v:\n%s", code, raw, err, out)
	}
	if code, out := q.b.berth(t, nil, "pull", ref); code != 0 {
		t.Errorf("pull: status %d:\n%s", code, out)
	}
}
