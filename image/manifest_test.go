package image

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	descriptor = `{"mediaType":"application/octet-stream","digest":"` + someDigest + `","size":0}`
	manifest   = `{"schemaVersion":2,"config":` + descriptor + `,"layers":[` + descriptor + `]}`
	index      = `{"schemaVersion":2,"manifests":[` + descriptor + `]}`
)

func TestParseManifest(t *testing.T) {
	for _, test := range []struct{ mediaType, raw, says string }{
		{"", manifest, ""},
		{ocispec.MediaTypeImageManifest, manifest, ""},
		{DockerManifest, manifest, ""},
		{"", index, ""},
		{DockerIndex, index, ""},
		{ocispec.MediaTypeImageIndex, manifest, "lists no manifests"},
		{ocispec.MediaTypeImageManifest, index, "lists manifests"},
		{"", `{"manifests":[],"layers":[]}`, "neither"},
		{"", `{"manifests":[],"config":{}}`, "neither"},
		{DockerManifest, `{"mediaType":"` + ocispec.MediaTypeImageManifest + `","layers":[]}`, "calls itself"},
		{"text/html", manifest, "not an image's"},
		{"", `{"schemaVersion":1,"fsLayers":[]}`, "schema 1"},
		{"", `{"schemaVersion":2,"config":{"digest":"sha256:../../x"},"layers":[]}`, "config: digest"},
		{"", `{"schemaVersion":2,"config":` + descriptor + `,"layers":[{"digest":"` + someDigest + `","size":-1}]}`, "negative"},
		{"", `{"schemaVersion":2,"config":` + descriptor + `,"layers":[` + strings.Repeat(descriptor+",", MaxLayers) + descriptor + `]}`, "501 layers"},
		{"", `not json`, "invalid character"},
		{"", strings.Repeat(" ", MaxManifest+1), "above the limit"},
	} {
		m, err := ParseManifest(test.mediaType, []byte(test.raw))
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s as %q: %v", test.raw, test.mediaType, err)
		case test.says == "" && (m.Image == nil) == (m.Index == nil):
			t.Errorf("%s as %q: not exactly one of image and index", test.raw, test.mediaType)
		case test.says != "" && err == nil:
			t.Errorf("%.200s as %q was taken", test.raw, test.mediaType)
		case test.says != "" && !strings.Contains(err.Error(), test.says):
			t.Errorf("%.200s as %q: the error %q does not say %q", test.raw, test.mediaType, err, test.says)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add("", []byte(manifest))
	f.Add(DockerIndex, []byte(index))
	f.Fuzz(func(t *testing.T, mediaType string, raw []byte) {
		m, err := ParseManifest(mediaType, raw)
		if err != nil {
			return
		}
		if (m.Image == nil) == (m.Index == nil) {
			t.Fatal("not exactly one of image and index")
		}
		if m.Image != nil {
			for _, d := range append(m.Image.Layers, m.Image.Config) {
				safeName(t, d.Digest)
			}
		}
	})
}

// FuzzParseConfig: the digests in it are safe as file names.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + someDigest + `"]},"config":{"Env":["A=b"],"Healthcheck":{"Test":["NONE"]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseConfig(raw)
		if err != nil {
			return
		}
		for _, d := range append(c.RootFS.DiffIDs, ChainIDs(c.RootFS.DiffIDs)...) {
			safeName(t, d)
		}
	})
}

func safeName(t *testing.T, d digest.Digest) {
	t.Helper()
	if name := d.Encoded(); name == "" || strings.ContainsAny(name, "/."+string(os.PathSeparator)) {
		t.Fatalf("digest %q is not safe as a file name", d)
	}
}

func TestChainIDs(t *testing.T) {
	// The example of config.md: ChainID(A) = A, ChainID(A|B) = SHA256(A + " " + B).
	a, b := digest.FromString("a"), digest.FromString("b")
	chain := ChainIDs([]digest.Digest{a, b})
	if chain[0] != a || chain[1] != digest.FromString(a.String()+" "+b.String()) {
		t.Errorf("got %v", chain)
	}
	if len(ChainIDs(nil)) != 0 {
		t.Error("no layers have a chain")
	}
}

func TestConfigRoundTrip(t *testing.T) {
	c, err := ParseConfig([]byte(`{"os":"linux","config":{"User":"1","Env":["A=b"],"Shell":["/bin/sh"],"OnBuild":["RUN x"],"Healthcheck":{"Test":["CMD","x"],"Interval":1000000000}},"rootfs":{"type":"layers","diff_ids":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Config.User != "1" || c.Config.Env[0] != "A=b" || c.Config.Shell[0] != "/bin/sh" || c.Config.OnBuild[0] != "RUN x" || c.Config.Healthcheck.Interval.Seconds() != 1 {
		t.Errorf("got %+v", c.Config)
	}
}
