package registry_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/image"
	"berth/image/registry"
	"berth/image/registry/testregistry"
)

// folder is content in files.
type folder string

func (f folder) path(d image.Descriptor) string { return filepath.Join(string(f), d.Digest.Encoded()) }

// Blob opens a blob.
func (f folder) Blob(d image.Descriptor) (*os.File, error) { return os.Open(f.path(d)) }

// ReadBlob reads one.
func (f folder) ReadBlob(d image.Descriptor, _ int64) ([]byte, error) { return os.ReadFile(f.path(d)) }

func (f folder) put(t *testing.T, mediaType string, raw []byte) image.Descriptor {
	t.Helper()
	d := image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := os.WriteFile(f.path(d), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// image puts an image of some layers there.
func (f folder) image(t *testing.T, arch string, layers ...[]byte) image.Descriptor {
	t.Helper()
	var list []string
	for _, l := range layers {
		d := f.put(t, "", l)
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, ocispec.MediaTypeImageLayerGzip, d.Digest, d.Size))
	}
	c := f.put(t, "", []byte(`{"os":"linux","architecture":"`+arch+`"}`))
	raw := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[%s]}`,
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig, c.Digest, c.Size, strings.Join(list, ","))
	return f.put(t, ocispec.MediaTypeImageManifest, []byte(raw))
}

// push pushes an image of two layers and checks what has arrived.
func push(t *testing.T, c *registry.Client, r *testregistry.Registry, repo string, _ registry.Options) {
	t.Helper()
	f := folder(t.TempDir())
	big, little := noise(3<<20), noise(1000)
	d := f.image(t, "amd64", big, little)
	if err := c.Push(context.Background(), registry.PushOptions{Content: f, Ref: ref(t, r.Ref(repo, "v1")), Descriptor: d}); err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{big, little} {
		if got, ok := r.Blob(repo, digest.FromBytes(raw)); !ok || !bytes.Equal(got, raw) {
			t.Errorf("a blob of %d bytes has not arrived", len(raw))
		}
	}
	if kind, raw, ok := r.Manifest(repo, "v1"); !ok || digest.FromBytes(raw) != d.Digest || kind != d.MediaType {
		t.Errorf("the manifest has not arrived: %s", kind)
	}
}

func TestPush(t *testing.T) {
	r := start(t, testregistry.Options{})
	c := client(t, registry.Options{})
	push(t, c, r, "team/app", registry.Options{})
	if n := r.Count("PATCH", ""); n != 0 {
		t.Errorf("%d parts of an upload in one piece", n)
	}
	// The manifest comes after all blobs.
	last := r.Requests()[len(r.Requests())-1]
	if last.Method != http.MethodPut || !strings.Contains(last.Path, "/manifests/v1") {
		t.Errorf("the last request is %s %s", last.Method, last.Path)
	}
	// A second push sends no blob.
	r.Forget()
	push(t, c, r, "team/app", registry.Options{})
	if n := r.Count("POST", ""); n != 0 {
		t.Errorf("%d uploads of what is there", n)
	}
}

func TestPushInParts(t *testing.T) {
	r := start(t, testregistry.Options{MinChunk: 700_000})
	push(t, client(t, registry.Options{ChunkSize: 100_000}), r, "team/app", registry.Options{})
	if n := r.Count("PATCH", ""); n < 5 || n > 8 {
		t.Errorf("%d parts of at least 700,000 bytes for 3 MiB", n)
	}
}

// Uploads go on after cuts, errors, and when the registry has lost them.
func TestPushThroughFaults(t *testing.T) {
	for title, f := range map[string]testregistry.Fault{
		"cut in one piece": {Method: "PUT", Path: "/blobs/uploads/", Times: 1, CutRequest: 100_000},
		"cut after begin":  {Method: "PUT", Path: "/blobs/uploads/", Times: 2, Status: 500},
		"busy":             {Method: "POST", Times: 2, Status: 429, RetryAfter: "0"},
		"parts refused":    {Method: "PATCH", Times: 2, Status: 503},
		"forgotten":        {Method: "PUT", Path: "/blobs/uploads/", Times: 1, Status: 404},
		"manifest":         {Method: "PUT", Path: "/manifests/", Times: 2, Status: 502},
		"check":            {Method: "HEAD", Times: 2, Status: 500},
	} {
		t.Run(title, func(t *testing.T) {
			for _, chunk := range []int64{0, 500_000} {
				r := start(t, testregistry.Options{})
				r.Inject(f)
				push(t, client(t, registry.Options{ChunkSize: chunk}), r, "team/app", registry.Options{})
			}
		})
	}
}

// A cut upload goes on behind what has arrived.
func TestPushResumes(t *testing.T) {
	r := start(t, testregistry.Options{})
	f := folder(t.TempDir())
	d := f.image(t, "amd64", noise(40<<20))
	r.Inject(testregistry.Fault{Method: "PATCH", After: 1, Times: 2, Status: 500})
	c := client(t, registry.Options{ChunkSize: 8 << 20})
	if err := c.Push(context.Background(), registry.PushOptions{Content: f, Ref: ref(t, r.Ref("team/app", "v1")), Descriptor: d}); err != nil {
		t.Fatal(err)
	}
	var spans []string
	for _, q := range r.Requests() {
		if q.Method == http.MethodPatch && q.Status < 300 {
			spans = append(spans, q.Header.Get("Content-Range"))
		}
	}
	slices.Sort(spans)
	// Five of the layer, one of the configuration, none of them twice.
	if len(spans) != 6 || len(slices.Compact(spans)) != 6 {
		t.Errorf("parts sent: %q", spans)
	}
}

func TestPushMounts(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		r := start(t, testregistry.Options{NoMount: refuse, Token: &testregistry.TokenServer{User: "u", Password: "p"}})
		layer := noise(50_000)
		r.PutBlob("team/base", layer)
		f := folder(t.TempDir())
		d := f.image(t, "amd64", layer)
		c := client(t, registry.Options{Keychain: keysFor(r.Host(), authConfig("u", "p"))})
		err := c.Push(context.Background(), registry.PushOptions{Content: f, Ref: ref(t, r.Ref("team/app", "v1")), Descriptor: d,
			MountFrom: func(digest.Digest) []string { return []string{"team/app", "team/base"} }})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.Blob("team/app", digest.FromBytes(layer)); !ok {
			t.Error("the layer is not there")
		}
		sent := 0
		for _, q := range r.Requests() {
			if q.Method == http.MethodPut && strings.Contains(q.Query, digest.FromBytes(layer).Encoded()) {
				sent++
			}
		}
		if want := map[bool]int{false: 0, true: 1}[refuse]; sent != want {
			t.Errorf("mount refused %t: the layer was sent %d times", refuse, sent)
		}
	}
}

func TestPushIndex(t *testing.T) {
	r := start(t, testregistry.Options{})
	f := folder(t.TempDir())
	a, b := f.image(t, "amd64", noise(100), noise(200)), f.image(t, "arm64", noise(100), noise(300))
	raw := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d},{"mediaType":%q,"digest":%q,"size":%d}]}`,
		ocispec.MediaTypeImageIndex, a.MediaType, a.Digest, a.Size, b.MediaType, b.Digest, b.Size)
	index := f.put(t, ocispec.MediaTypeImageIndex, []byte(raw))
	c := client(t, registry.Options{})
	if err := c.Push(context.Background(), registry.PushOptions{Content: f, Ref: ref(t, r.Ref("team/app", "v1")), Descriptor: index}); err != nil {
		t.Fatal(err)
	}
	got, _, err := c.Resolve(context.Background(), ref(t, r.Ref("team/app", "v1")))
	if err != nil || got.Digest != index.Digest {
		t.Errorf("%+v, %v", got, err)
	}
	// The shared layer went once.
	if n := r.Count("HEAD", digest.FromBytes(noise(100)).String()); n != 1 {
		t.Errorf("a shared layer was handled %d times", n)
	}
}

func TestPushFails(t *testing.T) {
	r := start(t, testregistry.Options{})
	f := folder(t.TempDir())
	d := f.image(t, "amd64", noise(1000))
	name := ref(t, r.Ref("team/app", "v1"))
	o := registry.PushOptions{Content: f, Ref: name, Descriptor: d}

	r.Inject(testregistry.Fault{Method: "POST", Status: http.StatusForbidden, Body: `{"errors":[{"code":"DENIED","message":"not yours"}]}`})
	err := client(t, registry.Options{}).Push(context.Background(), o)
	if !errors.Is(err, registry.ErrDenied) || !strings.Contains(err.Error(), "not yours") {
		t.Errorf("error %v", err)
	}
	r.Heal()
	if _, _, ok := r.Manifest("team/app", "v1"); ok {
		t.Error("the name is there without its blobs")
	}
	if err := os.Remove(f.path(image.Descriptor{Digest: digest.FromBytes(noise(1000))})); err != nil {
		t.Fatal(err)
	}
	if err := client(t, registry.Options{}).Push(context.Background(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing blob: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client(t, registry.Options{}).Push(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTagsAndCatalog(t *testing.T) {
	r := start(t, testregistry.Options{PageSize: 7})
	var want []string
	for i := range 30 {
		tag := fmt.Sprintf("v%02d", i)
		want = append(want, tag)
		r.PutManifest("team/app", tag, ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2}`))
		r.PutManifest("many/"+tag, "x", ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2}`))
	}
	c := client(t, registry.Options{})
	var got []string
	take := func(names []string) error {
		got = append(got, names...)
		return nil
	}
	if err := c.Tags(context.Background(), ref(t, r.Host()+"/team/app"), take); err != nil || !slices.Equal(got, want) {
		t.Errorf("tags %v, %v", got, err)
	}
	got = nil
	if err := c.Catalog(context.Background(), r.Host(), take); err != nil || len(got) != 31 {
		t.Errorf("%d repositories, %v", len(got), err)
	}
	found, err := c.Search(context.Background(), r.Host(), "ny/v1", 4)
	if err != nil || len(found) != 4 || found[0].Name != r.Host()+"/many/v10" {
		t.Errorf("search: %v, %v", found, err)
	}
	if err := c.Tags(context.Background(), ref(t, r.Host()+"/team/none"), take); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("no repository: %v", err)
	}
}

// A link to the next page stays at the registry.
func TestLinkElsewhere(t *testing.T) {
	other := start(t, testregistry.Options{})
	r := start(t, testregistry.Options{User: "u", Password: "p"})
	r.PutManifest("team/app", "v1", ocispec.MediaTypeImageManifest, []byte(`{}`))
	r.Inject(testregistry.Fault{Path: "/tags/list", Rewrite: func(h http.Header) {
		h.Set("Link", `<http://`+other.Host()+`/v2/team/app/tags/list?last=v1>; rel="next"`)
	}})
	c := client(t, registry.Options{Keychain: keysFor(r.Host(), authConfig("u", "p"))})
	if err := c.Tags(context.Background(), ref(t, r.Host()+"/team/app"), func([]string) error { return nil }); err != nil {
		t.Error(err)
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("%d requests elsewhere", n)
	}
}

// A list of referrers whose pages hold nothing and always name another one ends.
func TestReferrersWithoutEnd(t *testing.T) {
	r := start(t, testregistry.Options{})
	subject, _ := someImage(r, "team/app", "v1", noise(10))
	path := "/v2/team/app/referrers/" + subject.Digest.String()
	r.Inject(testregistry.Fault{Path: "/referrers/", Rewrite: func(h http.Header) { h.Set("Link", "<"+path+`>; rel="next"`) }})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := client(t, registry.Options{}).Referrers(ctx, ref(t, r.Ref("team/app", "v1")), subject, "")
	if err != nil || len(got) != 0 || r.Count(http.MethodGet, path) != 1 {
		t.Errorf("%v, %v after %d requests", got, err, r.Count(http.MethodGet, path))
	}
}

func TestReferrers(t *testing.T) {
	for _, old := range []bool{false, true} {
		r := start(t, testregistry.Options{NoReferrers: old})
		subject, _ := someImage(r, "team/app", "v1", noise(10))
		var list []string
		for _, kind := range []string{"text/signature", "text/sbom"} {
			raw := []byte(fmt.Sprintf(`{"schemaVersion":2,"artifactType":%q,"subject":{"digest":%q,"size":%d},"layers":[]}`, kind, subject.Digest, subject.Size))
			d := r.PutManifest("team/app", "", ocispec.MediaTypeImageManifest, raw)
			list = append(list, fmt.Sprintf(`{"mediaType":%q,"artifactType":%q,"digest":%q,"size":%d}`, d.MediaType, kind, d.Digest, d.Size))
		}
		if old {
			tag := strings.Replace(subject.Digest.String(), ":", "-", 1)
			r.PutManifest("team/app", tag, ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"manifests":[`+strings.Join(list, ",")+`]}`))
		}
		c := client(t, registry.Options{})
		name := ref(t, r.Ref("team/app", "v1"))
		for kind, want := range map[string]int{"": 2, "text/sbom": 1, "text/none": 0} {
			got, err := c.Referrers(context.Background(), name, subject, kind)
			if err != nil || len(got) != want {
				t.Errorf("old %t, type %q: %d, %v", old, kind, len(got), err)
			}
		}
		other, _ := someImage(r, "team/app", "v2", noise(20))
		if got, err := c.Referrers(context.Background(), name, other, ""); err != nil || len(got) != 0 {
			t.Errorf("none: %v, %v", got, err)
		}
	}
}

// An upload that is sent to another host goes there without credentials.
func TestUploadElsewhere(t *testing.T) {
	r := start(t, testregistry.Options{User: "u", Password: "p"})
	other := start(t, testregistry.Options{})
	r.Inject(testregistry.Fault{Method: "POST", Rewrite: func(h http.Header) {
		if h.Get("Location") != "" {
			h.Set("Location", "http://"+other.Host()+"/v2/team/app/blobs/uploads/1")
		}
	}})
	f := folder(t.TempDir())
	d := f.image(t, "amd64", noise(1000))
	c := client(t, registry.Options{Attempts: 2, Keychain: keysFor(r.Host(), authConfig("u", "p"))})
	if err := c.Push(context.Background(), registry.PushOptions{Content: f, Ref: ref(t, r.Ref("team/app", "v1")), Descriptor: d}); err == nil {
		t.Error("the push succeeds without the registry")
	}
	if len(other.Requests()) == 0 {
		t.Error("nothing was sent elsewhere: the test tests nothing")
	}
	for _, q := range other.Requests() {
		if q.Header.Get("Authorization") != "" {
			t.Error("the other host got the credentials")
		}
	}
}

// A registry that calls its uploads http, because a proxy before it ends TLS, is
// asked over https all the same.
func TestUploadLocationStaysHTTPS(t *testing.T) {
	r := start(t, testregistry.Options{TLS: &tls.Config{}})
	r.Inject(testregistry.Fault{Path: "/blobs/uploads/", Rewrite: func(h http.Header) {
		if at := h.Get("Location"); strings.HasPrefix(at, "/") {
			h.Set("Location", "http://"+r.Host()+at)
		}
	}})
	push(t, client(t, registry.Options{Insecure: true, ChunkSize: 1 << 20}), r, "team/app", registry.Options{})
}

// Without a catalog the search of Docker's first version is asked.
func TestSearchV1(t *testing.T) {
	r := start(t, testregistry.Options{})
	r.Inject(testregistry.Fault{Path: "/v2/_catalog", Status: http.StatusNotFound})
	r.Inject(testregistry.Fault{Path: "/v1/search", Status: http.StatusOK, Body: `{"results":[{"name":"team/app","description":"an \u001b[31mapp","star_count":3,"is_official":true},{"name":"b"},{"name":"c"}]}`})
	found, err := client(t, registry.Options{}).Search(context.Background(), r.Host(), "app", 2)
	if err != nil || len(found) != 2 || found[0] != (registry.Found{Name: "team/app", Description: "an [31mapp", Stars: 3, Official: true}) {
		t.Errorf("%+v, %v", found, err)
	}
	r.Heal()
	r.Inject(testregistry.Fault{Status: http.StatusNotFound})
	if _, err := client(t, registry.Options{}).Search(context.Background(), r.Host(), "app", 2); !errors.Is(err, image.ErrNotFound) || !strings.Contains(err.Error(), "list repositories") {
		t.Errorf("neither: %v", err)
	}
}
