package build

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// closedRegistry starts a registry that knows one user, and writes a file with his
// credentials.
func closedRegistry(t *testing.T) (host, authfile string) {
	t.Helper()
	dir := tempDir(t)
	users := filepath.Join(dir, "htpasswd")
	// The password is "secret", as htpasswd -B writes it.
	must(t, os.WriteFile(users, []byte("user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"), 0o600))
	host = registryWith(t, "auth: {htpasswd: {realm: test, path: "+users+"}}\n")
	authfile = filepath.Join(dir, "auth.json")
	secret := base64.StdEncoding.EncodeToString([]byte("user:secret"))
	must(t, os.WriteFile(authfile, []byte(`{"auths":{"`+host+`":{"auth":"`+secret+`"}}}`), 0o600))
	return host, authfile
}

// remoteDigest is what a registry calls a manifest; empty if it has none.
func remoteDigest(t *testing.T, host, path string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodHead, "http://"+host+"/v2/"+path, nil)
	must(t, err)
	req.SetBasicAuth("user", "secret")
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return resp.Header.Get("Docker-Content-Digest")
}

// metadata reads what --metadata-file has written.
func metadata(t *testing.T, file string) (digest, names, all string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	var m struct {
		Digest     string                  `json:"containerimage.digest"`
		Descriptor struct{ Digest string } `json:"containerimage.descriptor"`
		Names      string                  `json:"image.name"`
	}
	must(t, json.Unmarshal(raw, &m))
	if m.Digest != m.Descriptor.Digest {
		t.Errorf("two digests: %s", raw)
	}
	return m.Digest, m.Names, string(raw)
}

// TestPush: what is built goes to the registries of its names, with the credentials of
// push, and is told in the files.
func TestPush(t *testing.T) {
	host, authfile := closedRegistry(t)
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "ARG TARGETARCH\nFROM scratch\nARG TARGETARCH\nCOPY f /f\nLABEL arch=$TARGETARCH\n", "f": "1\n"})
	dir := tempDir(t)
	build := func(args ...string) (digest, names string) {
		t.Helper()
		args = append([]string{"build", "--authfile", authfile, "--metadata-file", dir + "/metadata", "--iidfile", dir + "/id"}, args...)
		if code, out := b.berth(t, nil, append(args, p.dir)...); code != 0 {
			t.Fatalf("%v: status %d:\n%s", args, code, out)
		}
		digest, names, _ = metadata(t, dir+"/metadata")
		return digest, names
	}
	stored := func(name string) bool {
		code, _ := b.berth(t, nil, "inspect", name)
		return code == 0
	}
	digest, names := build("--push", "--tag", host+"/team/app:1", "--tag", host+"/other/app:1")
	if names != host+"/team/app:1,"+host+"/other/app:1" {
		t.Errorf("--push: the names are %s", names)
	}
	for _, path := range []string{"team/app/manifests/1", "other/app/manifests/1"} {
		if d := remoteDigest(t, host, path); d != digest {
			t.Errorf("--push: %s is %q, not %s", path, d, digest)
		}
	}
	if !stored(host + "/team/app:1") {
		t.Error("--push: the image is not in the store")
	}

	digest, names = build("--output", `type=image,"name=`+host+"/team/two:1,"+host+`/team/two:2",push=true`)
	if names != host+"/team/two:1,"+host+"/team/two:2" {
		t.Errorf("name=: the names are %s", names)
	}
	for _, tag := range []string{"1", "2"} {
		if d := remoteDigest(t, host, "team/two/manifests/"+tag); d != digest {
			t.Errorf("name=: %s is %q, not %s", tag, d, digest)
		}
	}
	build("--tag", "app:kept", "--output", "type=registry,store=false,name="+host+"/team/three:1", "--load")
	if remoteDigest(t, host, "team/three/manifests/1") == "" || stored(host+"/team/three:1") || !stored("app:kept") {
		t.Error("type=registry with --load: not as asked for")
	}
	build("--tag", "app:image", "--output", "type=image,push=false")
	build("--tag", "app:docker", "--output", "type=docker")
	if !stored("app:image") || !stored("app:docker") {
		t.Error("type=image, type=docker: not in the store")
	}

	// Of several platforms the index goes with its images.
	digest, _ = build("--push", "--platform", "linux/amd64,linux/arm64", "--tag", host+"/team/many:1")
	if d := remoteDigest(t, host, "team/many/manifests/1"); d != digest {
		t.Errorf("an index: the registry has %q, not %s", d, digest)
	}
	if id, err := os.ReadFile(dir + "/id"); err != nil || string(id) != digest {
		t.Errorf("an index: the id is %q (%v)", id, err)
	}
	// By its digest alone, as builds do that are put together later.
	digest, _ = build("--platform", "linux/arm64", "--output", "type=image,push-by-digest=true,name-canonical=true,push=true,name="+host+"/team/parts")
	if d := remoteDigest(t, host, "team/parts/manifests/"+digest); d != digest {
		t.Errorf("by digest: the registry has %q, not %s", d, digest)
	}
	if d := remoteDigest(t, host, "team/parts/manifests/latest"); d != "" {
		t.Errorf("by digest: there is a tag, for %s", d)
	}
}

// TestPushRefused: no credentials, no name, words that mean nothing.
func TestPushRefused(t *testing.T) {
	host, _ := closedRegistry(t)
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "1\n"})
	empty := filepath.Join(t.TempDir(), "auth.json")
	must(t, os.WriteFile(empty, []byte("{}"), 0o600))
	for _, c := range []struct{ say, flags string }{
		{"(401)", "--push --authfile " + empty + " --tag " + host + "/team/app:1"},
		{"--tag", "--push"},
		{"--tag", "--output type=registry"},
		{"not true or false", "--output type=image,push=perhaps"},
		{"it is not known", "--output type=image,pull=true"},
		{"is not gzip, zstd or uncompressed", "--output type=image,compression=estargz"},
		{"two compressions", "--output type=image,compression=zstd --output type=oci,dest=/dev/null,compression=gzip"},
		{"level", "--output type=image,compression=zstd,compression-level=40"},
	} {
		code, out := b.berth(t, nil, append(append([]string{"build"}, strings.Fields(c.flags)...), p.dir)...)
		if code == 0 || !strings.Contains(out, c.say) {
			t.Errorf("%s: status %d, and not %q:\n%s", c.flags, code, c.say, out)
		}
	}
}

// TestFilesHaveNoImage: an output of files alone has no id and no digest.
func TestFilesHaveNoImage(t *testing.T) {
	b := newBuilder(t)
	p := b.project(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "1\n"})
	dir := tempDir(t)
	code, out := b.berth(t, nil, "build", "--tag", "x:1", "--output", dir+"/tree", "--iidfile", dir+"/id", "--metadata-file", dir+"/metadata", p.dir)
	if code != 0 {
		t.Fatalf("status %d:\n%s", code, out)
	}
	if id, err := os.ReadFile(dir + "/id"); err != nil || len(id) != 0 {
		t.Errorf("the id is %q (%v)", id, err)
	}
	if digest, names, all := metadata(t, dir+"/metadata"); digest != "" || names != "" {
		t.Errorf("the metadata: %s", all)
	}
	if code, _ := b.berth(t, nil, "inspect", "x:1"); code == 0 {
		t.Error("the image got a name")
	}
}
