package build

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// registry starts Debian's docker-registry on loopback and returns its address.
func registry(t *testing.T) string { return registryWith(t, "") }

// registryWith starts one with more in its configuration.
func registryWith(t *testing.T, config string) string {
	t.Helper()
	path, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("no docker-registry (Debian: docker-registry)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	host := listener.Addr().String()
	must(t, listener.Close())
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yml")
	must(t, os.WriteFile(file, []byte("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: "+dir+"/data}}\nhttp: {addr: "+host+"}\n"+config), 0o600))
	var log bytes.Buffer
	cmd := exec.Command(path, "serve", file)
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", host)
		if err == nil {
			must(t, c.Close())
			return host
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill() // so that its log can be read
			_ = cmd.Wait()         // it was killed
			t.Fatalf("docker-registry does not listen: %v\n%s", err, log.String())
		}
	}
}

// TestCacheInRegistry: a cache goes through a registry to a second machine, also that
// of stages which the image does not hold, and a push takes the image itself there.
func TestCacheInRegistry(t *testing.T) {
	host := registry(t)
	files := map[string]string{
		"Dockerfile": "FROM base AS one\nRUN echo ran-a-$((1+2)) > /a; cat /a\nFROM base\nCOPY --from=one /a /a\nCOPY f /f\nRUN echo ran-b-$((1+2))\n", "f": "1\n",
	}
	ref := host + "/team/cache:1"
	p := newBuilder(t).project(t, files)
	if out, _ := p.build("--plain-http", "--cache-to", "type=registry,ref="+ref+",mode=max"); ran(out) != "a b" {
		t.Errorf("the first time: ran %q", ran(out))
	}
	q := newBuilder(t).project(t, files)
	out, img := q.build("--plain-http", "--cache-from", "type=registry,ref="+ref)
	if ran(out) != "" {
		t.Errorf("with the other's cache: ran %q:\n%s", ran(out), out)
	}
	if n := img.tree["/a"]; n == nil || n.content != "ran-a-3\n" {
		t.Errorf("/a is %+v", n)
	}
	q.write("f", "2\n")
	if out, _ := q.build("--plain-http", "--cache-from", ref); ran(out) != "b" {
		t.Errorf("with a change: ran %q", ran(out))
	}
	// A cache that is not there is a warning.
	if out, _ := q.build("--plain-http", "--cache-from", host+"/team/none:1"); !strings.Contains(out, "--cache-from") {
		t.Errorf("no warning of a cache that is not there:\n%s", out)
	}
	name := host + "/team/app:1"
	if code, out := q.b.berth(t, nil, "build", "--quiet", "--tag", name, q.dir); code != 0 {
		t.Fatalf("build: status %d:\n%s", code, out)
	}
	if code, out := q.b.berth(t, nil, "push", "--plain-http", name); code != 0 {
		t.Errorf("push: status %d:\n%s", code, out)
	}
}

// TestPlatforms: two platforms make an index with an image for each; a command of
// another architecture is refused with the reason.
func TestPlatforms(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETPLATFORM\nARG TARGETARCH\nCOPY $TARGETARCH /arch\nLABEL platform=$TARGETPLATFORM\n",
		"amd64":      "amd\n", "riscv64": "risc\n",
		"run": "FROM scratch\nCOPY amd64 /bin/sh\nRUN true\n",
	})
	id := filepath.Join(t.TempDir(), "id")
	file := filepath.Join(tempDir(t), "image.tar")
	epoch := []string{"SOURCE_DATE_EPOCH=1000000000"}
	code, out := b.berth(t, epoch, "build", "--platform", "linux/amd64,linux/riscv64", "--tag", "multi:1", "--iidfile", id, p.dir)
	if code != 0 {
		t.Fatalf("status %d:\n%s", code, out)
	}
	if code, out := b.berth(t, epoch, "build", "--platform", "linux/amd64", "--platform", "linux/riscv64", "--output", "type=oci,dest="+file, p.dir); code != 0 {
		t.Fatalf("to an archive: status %d:\n%s", code, out)
	}
	blobs, err := readTar(file)
	must(t, err)
	type index struct {
		MediaType string
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture, OS string }
		}
	}
	var top, platforms index
	must(t, json.Unmarshal(blobs["index.json"], &top))
	must(t, blob(blobs, top.Manifests[0].Digest, &platforms))
	if raw, err := os.ReadFile(id); err != nil || strings.TrimSpace(string(raw)) != top.Manifests[0].Digest {
		t.Errorf("the id is %q (%v), the archive holds %s", raw, err, top.Manifests[0].Digest)
	}
	var have []string
	for _, m := range platforms.Manifests {
		var manifest struct{ Config struct{ Digest string } }
		must(t, blob(blobs, m.Digest, &manifest))
		var config struct {
			Architecture string
			Config       struct{ Labels map[string]string }
		}
		must(t, blob(blobs, manifest.Config.Digest, &config))
		have = append(have, m.Platform.OS+"/"+m.Platform.Architecture+" "+config.Architecture+" "+config.Config.Labels["platform"])
	}
	if want := []string{"linux/amd64 amd64 linux/amd64", "linux/riscv64 riscv64 linux/riscv64"}; !slices.Equal(have, want) {
		t.Errorf("the index has %q, want %q", have, want)
	}
	if exists("/proc/sys/fs/binfmt_misc/qemu-riscv64") {
		return
	}
	if code, out := b.berth(t, nil, "build", "--platform", "linux/riscv64", "--file", filepath.Join(p.dir, "run"), p.dir); code != 1 || !strings.Contains(out, "binfmt_misc") {
		t.Errorf("RUN for another architecture: status %d:\n%s", code, out)
	}
}
