package build

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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

// TestInlineCache: an image brings the cache of its own layers, and of several
// platforms those of each. What is built on it does not inherit it.
func TestInlineCache(t *testing.T) {
	host := registry(t)
	files := map[string]string{
		"Dockerfile": "FROM base AS one\nRUN echo ran-a-$((1+2)) > /a; cat /a\nFROM base\nCOPY f /f\nRUN echo ran-b-$((1+2)) > /b; cat /b\nCOPY --from=one /a /a\n", "f": "1\n",
	}
	for _, flags := range [][]string{{"--cache-to", "type=inline"}, {"--build-arg", "BUILDKIT_INLINE_CACHE=1"}} {
		ref := host + "/team/inline:" + strconv.Itoa(len(flags[1]))
		p := newBuilder(t).project(t, files)
		if code, out := p.b.berth(t, nil, append(append([]string{"build", "--progress", "plain", "--push", "--tag", ref}, flags...), p.dir)...); code != 0 || ran(out) != "a b" {
			t.Fatalf("%v: status %d, ran %q:\n%s", flags, code, ran(out), out)
		}
		q := newBuilder(t).project(t, files)
		out, img := q.build("--cache-from", ref)
		if ran(out) != "a" {
			t.Errorf("%v: ran %q, want a, which the image does not hold:\n%s", flags, ran(out), out)
		}
		if n := img.tree["/b"]; n == nil || n.content != "ran-b-3\n" {
			t.Errorf("/b is %+v", n)
		}
	}
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM base\nRUN echo x\n", "on": "FROM inline:1\nLABEL a=b\n"})
	if code, out := b.berth(t, nil, "build", "--cache-to", "type=inline", "--tag", "inline:1", p.dir); code != 0 {
		t.Fatalf("status %d:\n%s", code, out)
	}
	_, img := p.build("--file", filepath.Join(p.dir, "on"))
	for field := range img.config {
		if strings.Contains(field, "cache") {
			t.Errorf("the configuration has %s of its base", field)
		}
	}
	if out, _ := p.build("--cache-from", host+"/team/inline:1"); !strings.Contains(out, "--cache-from") {
		t.Errorf("no warning:\n%s", out)
	}
}

// TestCacheOfPlatforms: the caches of several platforms go together, to a directory,
// a registry and into images, also of builds that make files alone.
func TestCacheOfPlatforms(t *testing.T) {
	host := registry(t)
	files := map[string]string{
		"Dockerfile": "FROM --platform=$BUILDPLATFORM base AS make\nARG TARGETARCH\nRUN echo ran-a-$((1+2)); echo $TARGETARCH > /arch\n" +
			"FROM scratch\nCOPY f /f\nCOPY --from=make /arch /arch\n", "f": "1\n",
	}
	dir := tempDir(t)
	platforms := []string{"--platform", "linux/" + goarch + ",linux/riscv64"}
	registryCache, image := host+"/team/cache:1", host+"/team/image:1"
	build := func(p *project, args ...string) string {
		t.Helper()
		code, out := p.b.berth(t, nil, append(append([]string{"build", "--progress", "plain"}, args...), p.dir)...)
		if code != 0 {
			t.Fatalf("%v: status %d:\n%s", args, code, out)
		}
		return out
	}
	p := newBuilder(t).project(t, files)
	out := build(p, append(platforms, "--cache-to", "type=local,mode=max,dest="+dir+"/cache", "--cache-to", "type=registry,mode=max,ref="+registryCache)...)
	if strings.Count(out, " ran-a-3") != 2 {
		t.Errorf("the first time:\n%s", out)
	}
	for _, from := range []string{"type=local,src=" + dir + "/cache", "type=registry,ref=" + registryCache} {
		q := newBuilder(t).project(t, files)
		if out := build(q, append(platforms, "--cache-from", from)...); ran(out) != "" {
			t.Errorf("%s: ran %q:\n%s", from, ran(out), out)
		}
		q = newBuilder(t).project(t, files)
		out := build(q, "--output", filepath.Join(t.TempDir(), "tree"), "--cache-from", from, "--cache-to", "type=local,dest="+dir+"/other")
		if ran(out) != "" || !exists(dir+"/other/index.json") {
			t.Errorf("files alone: ran %q:\n%s", ran(out), out)
		}
	}
	build(p, append(platforms, "--push", "--tag", image, "--cache-to", "type=inline")...)
	q := newBuilder(t).project(t, files)
	for _, platform := range []string{goarch, "riscv64"} {
		out := build(q, "--platform", "linux/"+platform, "--cache-from", image)
		if cached := strings.Count(out, "CACHED"); cached < 1 {
			t.Errorf("%s: nothing is cached:\n%s", platform, out)
		}
	}
}

// TestCacheThatFails: a cache that cannot be written ends the build, unless it is not
// to count.
func TestCacheThatFails(t *testing.T) {
	p := newBuilder(t).project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "1\n"})
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for flag, want := range map[string]int{"type=local,dest=" + file: 1, "type=local,ignore-error=true,dest=" + file: 0} {
		if code, out := p.b.berth(t, nil, "build", "--cache-to", flag, p.dir); code != want || !strings.Contains(out, "--cache-to") {
			t.Errorf("%s: status %d:\n%s", flag, code, out)
		}
	}
}

// TestPlatforms: two platforms make an index with an image for each.
func TestPlatforms(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETPLATFORM\nARG TARGETARCH\nCOPY $TARGETARCH /arch\nLABEL platform=$TARGETPLATFORM\n",
		"amd64":      "amd\n", "riscv64": "risc\n",
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
}
