package build

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const small = "FROM scratch AS files\nCOPY f /d/f\nFROM base\nCOPY --from=files /d /d\nLABEL l=1\n"

// TestOutputs: the image as an archive of either kind, as a tree, as a tar.
func TestOutputs(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": small, "f": "text\n"})
	dir := t.TempDir()
	ok := func(args ...string) string {
		t.Helper()
		code, out := b.berth(t, nil, append(append([]string{"build"}, args...), p.dir)...)
		if code != 0 {
			t.Fatalf("build %v: status %d:\n%s", args, code, out)
		}
		return out
	}

	ok("--target", "files", "--output", "type=local,dest="+dir+"/tree")
	if raw, err := os.ReadFile(dir + "/tree/d/f"); err != nil || string(raw) != "text\n" {
		t.Errorf("local: %q, %v", raw, err)
	}
	ok("--target", "files", "--output", dir+"/short")
	if _, err := os.Stat(dir + "/short/d/f"); err != nil {
		t.Errorf("--output DIR: %v", err)
	}

	ok("--target", "files", "--output", "type=tar,dest="+dir+"/tree.tar")
	if names := tarNames(t, dir+"/tree.tar"); !names["d/f"] {
		t.Errorf("tar: %v", names)
	}

	// Of several platforms each has a directory, as with docker.
	ok("--target", "files", "--platform", "linux/amd64,linux/arm64", "--output", "type=tar,dest="+dir+"/trees.tar", "--output", "type=local,dest="+dir+"/trees")
	names := tarNames(t, dir+"/trees.tar")
	for _, name := range []string{"linux_amd64/d/f", "linux_arm64/d/f"} {
		if _, err := os.Stat(dir + "/trees/" + name); err != nil || !names[name] {
			t.Errorf("%s: %v, in the archive %t", name, err, names[name])
		}
	}

	ok("--tag", "out:1", "--output", "type=docker,dest="+dir+"/docker.tar")
	if names := tarNames(t, dir+"/docker.tar"); !names["manifest.json"] {
		t.Errorf("docker: %v", names)
	}

	ok("--tag", "out:1", "--tag", "out:2", "--metadata-file", dir+"/metadata", "--iidfile", dir+"/id", "--quiet")
	var metadata map[string]any
	raw, err := os.ReadFile(dir + "/metadata")
	must(t, err)
	must(t, json.Unmarshal(raw, &metadata))
	if d, _ := metadata["containerimage.digest"].(string); !strings.HasPrefix(d, "sha256:") {
		t.Errorf("metadata: %s", raw)
	}
	var id string
	if raw, err := os.ReadFile(dir + "/id"); err != nil || strings.ContainsAny(string(raw), "\n ") {
		t.Errorf("the id is %q: %v", raw, err)
	} else {
		id = string(raw)
	}
	if id != metadata["containerimage.config.digest"] {
		t.Errorf("the id is %s: %s", id, raw)
	}
	for _, name := range []string{"out:1", "out:2", id} {
		if code, out := b.berth(t, nil, "inspect", name); code != 0 {
			t.Errorf("inspect %s: status %d: %s", name, code, out)
		}
	}
}

func tarNames(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	names := map[string]bool{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		must(t, err)
		names[path.Clean(h.Name)] = true
	}
}

// TestContexts: a Dockerfile or a tar on stdin, a git repository, a tar archive.
func TestContexts(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "text\n"})
	archive := filepath.Join(t.TempDir(), "context.tar.gz")
	pack(t, archive, p.dir)

	build := func(stdin string, args ...string) *builtImage {
		t.Helper()
		file := filepath.Join(t.TempDir(), "image.tar")
		cmd := exec.Command(b.runtime, append([]string{"build", "--output", "type=oci,dest=" + file}, args...)...)
		cmd.Env = append(os.Environ(), "BERTH_STORE="+b.store)
		if stdin != "" {
			in, err := os.Open(stdin)
			must(t, err)
			defer in.Close()
			cmd.Stdin = in
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %v: %v:\n%s", args, err, out)
		}
		return readImage(t, file)
	}
	if img := build(archive, "-"); img.tree["/f"] == nil {
		t.Error("a tar on stdin: no /f")
	}
	if img := build("", archive); img.tree["/f"] == nil {
		t.Error("a tar archive: no /f")
	}
	if img := build(filepath.Join(p.dir, "Dockerfile"), "--file", "-", p.dir); img.tree["/f"] == nil {
		t.Error("a Dockerfile on stdin with a context: no /f")
	}
	alone := filepath.Join(t.TempDir(), "Dockerfile")
	must(t, os.WriteFile(alone, []byte("FROM base\nRUN echo x > /x\n"), 0o600))
	if img := build(alone, "-"); img.tree["/x"] == nil {
		t.Error("a Dockerfile alone on stdin: no /x")
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Log("no git: its contexts are not tested")
		return
	}
	c := &dockerfileCase{}
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "project.git/sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "project.git/sub/Dockerfile"), []byte("FROM scratch\nCOPY g /g\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "project.git/sub/g"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "project.git/Dockerfile"), []byte("FROM scratch\nCOPY . /all\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "project.git/.dockerignore"), []byte("sub/g\nDockerfile\n"), 0o600))
	url := c.serve(t, dir) + "/project.git"
	if img := build("", url+"#main:sub"); img.tree["/g"] == nil {
		t.Error("a git repository: no /g")
	}
	for _, fragment := range []string{"", "#v1", "#" + c.commit} {
		img := build("", url+fragment)
		if img.tree["/all/sub/Dockerfile"] == nil || img.tree["/all/.dockerignore"] == nil {
			t.Errorf("git%s: it has %v", fragment, img.names())
		}
		for _, path := range []string{"/all/sub/g", "/all/Dockerfile", "/all/.git"} {
			if img.tree[path] != nil {
				t.Errorf("git%s: %s is there", fragment, path)
			}
		}
	}
}
