package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/image"
	"berth/image/registry"
	"berth/image/registry/testregistry"
)

// start starts a registry for one test.
func start(t *testing.T, o testregistry.Options) *testregistry.Registry {
	t.Helper()
	r := testregistry.New(o)
	t.Cleanup(r.Close)
	return r
}

// client makes a client that waits little.
func client(t *testing.T, o registry.Options) *registry.Client {
	t.Helper()
	if o.Backoff == 0 {
		o.Backoff = time.Millisecond
	}
	if o.Notice == nil {
		o.Notice = func(m string) { t.Log("notice:", m) }
	}
	c := registry.New(o)
	t.Cleanup(c.Close)
	return c
}

func ref(t *testing.T, s string) image.Reference {
	t.Helper()
	r, err := image.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// noise is n bytes that are the same in every run.
func noise(n int) []byte {
	raw := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(raw)
	return raw
}

// someImage stores an image of one layer.
func someImage(r *testregistry.Registry, repo, tag string, layer []byte) (ocispec.Descriptor, ocispec.Descriptor) {
	d := r.PutImage(repo, tag, testregistry.Image{Layers: []testregistry.Layer{{Raw: layer, DiffID: digest.FromBytes(layer)}}})
	return d, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromBytes(layer), Size: int64(len(layer))}
}

func readBlob(t *testing.T, c *registry.Client, name image.Reference, d ocispec.Descriptor, offset int64) ([]byte, error) {
	t.Helper()
	b, err := c.Blob(context.Background(), name, d, offset)
	if err != nil {
		return nil, err
	}
	defer b.Close() // only read
	return io.ReadAll(b)
}

func TestResolveByTagAndDigest(t *testing.T) {
	r := start(t, testregistry.Options{})
	want, _ := someImage(r, "team/app", "v1", noise(1000))
	c := client(t, registry.Options{})
	for _, name := range []string{r.Ref("team/app", "v1"), r.Host() + "/team/app@" + want.Digest.String()} {
		got, raw, err := c.Resolve(context.Background(), ref(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != want.Digest || got.Size != want.Size || got.MediaType != want.MediaType || digest.FromBytes(raw) != want.Digest {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		head, err := c.Head(context.Background(), ref(t, name))
		if err != nil || head.Digest != want.Digest || head.Size != want.Size {
			t.Errorf("head %s: %+v, %v", name, head, err)
		}
	}
	raw, err := c.Manifest(context.Background(), ref(t, r.Ref("team/app", "v1")), want)
	if err != nil || int64(len(raw)) != want.Size {
		t.Errorf("manifest: %d bytes, %v", len(raw), err)
	}
}

func TestResolveMissing(t *testing.T) {
	r := start(t, testregistry.Options{})
	_, _, err := client(t, registry.Options{}).Resolve(context.Background(), ref(t, r.Ref("team/app", "v1")))
	if !errors.Is(err, image.ErrNotFound) || !strings.Contains(err.Error(), "get manifest "+r.Ref("team/app", "v1")+": manifest unknown") {
		t.Errorf("error %v", err)
	}
	if n := r.Count("GET", "/manifests/"); n != 1 {
		t.Errorf("%d requests for what is not there", n)
	}
}

func TestBlobWholeAndFromTheMiddle(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(1 << 20)
	_, layer := someImage(r, "team/app", "v1", raw)
	c := client(t, registry.Options{})
	name := ref(t, r.Ref("team/app", "v1"))
	for _, offset := range []int64{0, 1, 4096, layer.Size - 1, layer.Size} {
		got, err := readBlob(t, c, name, layer, offset)
		if err != nil || !bytes.Equal(got, raw[offset:]) {
			t.Errorf("from %d: %d bytes, %v", offset, len(got), err)
		}
	}
	b, err := c.BlobRange(context.Background(), name, layer, 1000, 5000)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, raw[1000:6000]) {
		t.Errorf("range: %d bytes, %v", len(got), err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBlobWithoutRanges(t *testing.T) {
	r := start(t, testregistry.Options{NoRanges: true})
	raw := noise(300_000)
	_, layer := someImage(r, "team/app", "v1", raw)
	c := client(t, registry.Options{})
	name := ref(t, r.Ref("team/app", "v1"))
	if _, err := c.Blob(context.Background(), name, layer, 10); !errors.Is(err, image.ErrNoRange) {
		t.Errorf("offset: %v", err)
	}
	if _, err := c.BlobRange(context.Background(), name, layer, 0, 10); !errors.Is(err, image.ErrNoRange) {
		t.Errorf("range: %v", err)
	}
	// A broken stream is read again from its start, and goes on where it broke.
	r.Inject(testregistry.Fault{Path: "/blobs/", Times: 2, Cut: 100_000})
	got, err := readBlob(t, c, name, layer, 0)
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestCutStreamsGoOnWhereTheyBroke(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(1 << 20)
	_, layer := someImage(r, "team/app", "v1", raw)
	// More cuts than attempts: progress starts the count anew.
	r.Inject(testregistry.Fault{Path: "/blobs/", Times: 9, Cut: 100_000})
	got, err := readBlob(t, client(t, registry.Options{}), ref(t, r.Ref("team/app", "v1")), layer, 0)
	if err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	asked := map[string]bool{}
	for _, q := range r.Requests() {
		if span := q.Header.Get("Range"); asked[span] {
			t.Errorf("asked twice for %q", span)
		} else {
			asked[span] = true
		}
	}
}

func TestStreamThatNeverProgresses(t *testing.T) {
	r := start(t, testregistry.Options{})
	_, layer := someImage(r, "team/app", "v1", noise(1<<20))
	r.Inject(testregistry.Fault{Path: "/blobs/", Cut: 1})
	_, err := readBlob(t, client(t, registry.Options{Attempts: 4}), ref(t, r.Ref("team/app", "v1")), layer, 0)
	if err == nil || r.Count("GET", "/blobs/") > 5 {
		t.Errorf("%d requests, error %v", r.Count("GET", "/blobs/"), err)
	}
}

func TestSilentServer(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(300_000)
	_, layer := someImage(r, "team/app", "v1", raw)
	c := client(t, registry.Options{Silence: 100 * time.Millisecond})
	name := ref(t, r.Ref("team/app", "v1"))
	for _, silent := range []int64{-1, 100_000} {
		r.Inject(testregistry.Fault{Path: "/blobs/", Times: 1, Silent: silent})
		got, err := readBlob(t, c, name, layer, 0)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("silent after %d: %d bytes, %v", silent, len(got), err)
		}
	}
	r.Inject(testregistry.Fault{Path: "/manifests/", Silent: -1})
	_, _, err := client(t, registry.Options{Silence: 50 * time.Millisecond, Attempts: 2}).Resolve(context.Background(), name)
	if err == nil || !strings.Contains(err.Error(), "the server is silent") {
		t.Errorf("error %v", err)
	}
}

func TestSlowReaderIsNoSilence(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(8 << 20) // more than sockets hold
	_, layer := someImage(r, "team/app", "v1", raw)
	b, err := client(t, registry.Options{Silence: 100 * time.Millisecond}).Blob(context.Background(), ref(t, r.Ref("team/app", "v1")), layer, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close() // only read
	if _, err := io.ReadFull(b, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // what is tested is that this time does not matter
	rest, err := io.ReadAll(b)
	if err != nil || len(rest) != len(raw)-10 || r.Count("GET", "/blobs/") != 1 {
		t.Errorf("%d bytes, %d requests, %v", len(rest), r.Count("GET", "/blobs/"), err)
	}
}

func TestRetryAfter(t *testing.T) {
	r := start(t, testregistry.Options{})
	someImage(r, "team/app", "v1", noise(10))
	name := ref(t, r.Ref("team/app", "v1"))

	r.Inject(testregistry.Fault{Path: "/manifests/", Times: 1, Status: http.StatusTooManyRequests, RetryAfter: "1"})
	before := time.Now()
	if _, _, err := client(t, registry.Options{}).Resolve(context.Background(), name); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(before); waited < time.Second {
		t.Errorf("waited %s where the registry asked for one second", waited)
	}

	r.Inject(testregistry.Fault{Path: "/manifests/", Times: 1, Status: http.StatusTooManyRequests, RetryAfter: "3600"})
	_, _, err := client(t, registry.Options{}).Resolve(context.Background(), name)
	if err == nil || !strings.Contains(err.Error(), "come back in 1h0m0s") {
		t.Errorf("error %v", err)
	}
}

func TestServerErrorsAreRetried(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(1000)
	_, layer := someImage(r, "team/app", "v1", raw)
	c := client(t, registry.Options{})
	name := ref(t, r.Ref("team/app", "v1"))
	for _, status := range []int{500, 502, 503, 504, 429} {
		r.Inject(testregistry.Fault{Times: 2, Status: status})
		got, err := readBlob(t, c, name, layer, 0)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d: %v", status, err)
		}
		r.Heal()
	}
	r.Inject(testregistry.Fault{Status: 503})
	r.Forget()
	_, _, err := client(t, registry.Options{Attempts: 3}).Resolve(context.Background(), name)
	if err == nil || r.Count("GET", "/manifests/") != 3 {
		t.Errorf("%d attempts, error %v", r.Count("GET", "/manifests/"), err)
	}
}

func TestHostileManifests(t *testing.T) {
	r := start(t, testregistry.Options{})
	good, _ := someImage(r, "team/app", "good", noise(10))
	_, raw, _ := r.Manifest("team/app", "good")
	other := bytes.Replace(raw, []byte("linux"), []byte("linuz"), 1)
	other = append(other, ' ')

	r.PutManifest("team/app", "both", ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2,"layers":[],"manifests":[]}`))
	r.PutManifest("team/app", "mismatch", ocispec.MediaTypeImageIndex, append(raw, '\n'))
	r.PutManifest("team/app", "own", ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[]}`))
	r.PutManifest("team/app", "huge", ocispec.MediaTypeImageManifest, append([]byte(`{"schemaVersion":2}`), bytes.Repeat([]byte(" "), image.MaxManifest)...))
	r.PutManifest("team/app", "html", "text/html", []byte("<html>log in here</html>"))
	r.PutManifest("team/app", "schema1", "application/vnd.docker.distribution.manifest.v1+prettyjws", []byte(`{"schemaVersion":1,"fsLayers":[]}`))
	r.PutManifest("team/app", "traversal", ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2,"config":{"digest":"sha256:../../etc/passwd","size":1},"layers":[]}`))
	r.PutManifestAs("team/app", good.Digest, ocispec.MediaTypeImageManifest, other)

	c := client(t, registry.Options{})
	for tag, want := range map[string]string{
		"both":      "both manifests and layers",
		"mismatch":  "calls itself",
		"own":       "calls itself",
		"huge":      "above the limit",
		"html":      "manifest",
		"schema1":   "schema 1",
		"traversal": "hexadecimal",
		"good":      "do not have the digest",
	} {
		_, _, err := c.Resolve(context.Background(), ref(t, r.Ref("team/app", tag)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", tag, err, want)
		}
	}
	if _, err := c.Manifest(context.Background(), ref(t, r.Ref("team/app", "good")), good); err == nil {
		t.Error("wrong bytes for a digest were taken")
	}
}

func TestDigestHeader(t *testing.T) {
	r := start(t, testregistry.Options{})
	want, _ := someImage(r, "team/app", "v1", noise(10))
	c := client(t, registry.Options{})
	byTag := ref(t, r.Ref("team/app", "v1"))
	byDigest := ref(t, r.Host()+"/team/app@"+want.Digest.String())
	for _, said := range []string{"sha256:" + strings.Repeat("0", 64), "sha256:../../x", "md5:00", "garbage"} {
		r.Heal()
		r.Inject(testregistry.Fault{Path: "/manifests/", Rewrite: func(h http.Header) { h.Set("Docker-Content-Digest", said) }})
		for _, name := range []image.Reference{byTag, byDigest} {
			if _, _, err := c.Resolve(context.Background(), name); err == nil {
				t.Errorf("%s: the digest %s was taken", name, said)
			}
		}
		if _, err := c.Head(context.Background(), byDigest); err == nil {
			t.Errorf("head: the digest %s was taken", said)
		}
	}
	// A registry may leave it out; the bytes have one.
	bare := start(t, testregistry.Options{NoDigestHeader: true})
	want, _ = someImage(bare, "team/app", "v1", noise(10))
	got, _, err := c.Resolve(context.Background(), ref(t, bare.Ref("team/app", "v1")))
	if err != nil || got.Digest != want.Digest {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBlobOfAnotherSize(t *testing.T) {
	r := start(t, testregistry.Options{})
	raw := noise(5000)
	_, layer := someImage(r, "team/app", "v1", raw)
	name := ref(t, r.Ref("team/app", "v1"))
	c := client(t, registry.Options{Attempts: 2})
	for _, size := range []int64{4999, 5001, 1 << 30} {
		wrong := layer
		wrong.Size = size
		if _, err := readBlob(t, c, name, wrong, 0); err == nil {
			t.Errorf("a blob of 5000 bytes was taken for %d", size)
		}
		if _, err := readBlob(t, c, name, wrong, 100); err == nil {
			t.Errorf("a range of a blob of 5000 bytes was taken for %d", size)
		}
	}
}
