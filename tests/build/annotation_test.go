package build

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnnotations: manifests, the index and its entries get those that are meant for
// them.
func TestAnnotations(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "1\n"})
	file := filepath.Join(tempDir(t), "image.tar")
	code, out := b.berth(t, nil, "build", "--platform", "linux/amd64,linux/arm64", "--annotation", "org.example.a=1=2", "--annotation", "index,manifest-descriptor:org.example.b=3",
		"--output", "type=oci,annotation-index.org.example.c=4,annotation.org.example.d=5,dest="+file, p.dir)
	if code != 0 {
		t.Fatalf("status %d:\n%s", code, out)
	}
	blobs, err := readTar(file)
	must(t, err)
	type entry struct {
		Digest      string
		Annotations map[string]string
	}
	var top, index struct {
		Manifests   []entry
		Annotations map[string]string
	}
	must(t, json.Unmarshal(blobs["index.json"], &top))
	must(t, blob(blobs, top.Manifests[0].Digest, &index))
	if a := index.Annotations; len(a) != 2 || a["org.example.b"] != "3" || a["org.example.c"] != "4" {
		t.Errorf("the index has %v", a)
	}
	for _, m := range index.Manifests {
		var manifest struct{ Annotations map[string]string }
		must(t, blob(blobs, m.Digest, &manifest))
		if a := manifest.Annotations; len(a) != 2 || a["org.example.a"] != "1=2" || a["org.example.d"] != "5" {
			t.Errorf("a manifest has %v", a)
		}
		if a := m.Annotations; len(a) != 1 || a["org.example.b"] != "3" {
			t.Errorf("an entry of the index has %v", a)
		}
	}
	for flags, say := range map[string]string{
		"--annotation index:a=b": "several platforms", "--annotation other:a=b": "the type other", "--annotation a": "KEY=VALUE", "--annotation =b": "no name",
		"--provenance=true": "attestations", "--sbom true": "attestations", "--attest type=sbom": "attestations", "--call outline": "build or check",
	} {
		if code, out := b.berth(t, nil, append(append([]string{"build"}, strings.Fields(flags)...), p.dir)...); code == 0 || !strings.Contains(out, say) {
			t.Errorf("%s: status %d, and not %q:\n%s", flags, code, say, out)
		}
	}
	// What docker's users write to have none, and what changes nothing.
	if code, out := b.berth(t, nil, "build", "--provenance=false", "--sbom=false", "--attest", "type=provenance,disabled=true", "--builder", "default", "--rm", "--force-rm", "--compress", p.dir); code != 0 {
		t.Errorf("status %d:\n%s", code, out)
	}
	if code, out := b.berth(t, nil, "build", "--call", "check", p.dir); code != 0 || strings.Contains(out, "exporting") {
		t.Errorf("--call check: status %d:\n%s", code, out)
	}
}
