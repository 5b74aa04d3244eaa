package pull

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/image"
	"berth/image/layer"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: layers get the owners of the archive")
	}
}

// memory is a Source that counts what is asked for and can go wrong.
type memory struct {
	mu    sync.Mutex
	blobs map[digest.Digest][]byte
	refs  map[string]image.Descriptor
	asked map[digest.Digest]int

	noRanges bool
	// spoil changes what is sent of a blob.
	spoil func(d digest.Digest, content []byte) []byte
	// slow is a pause per block of 32 KiB.
	slow time.Duration
	sent atomic.Int64
}

func newMemory() *memory {
	return &memory{blobs: map[digest.Digest][]byte{}, refs: map[string]image.Descriptor{}, asked: map[digest.Digest]int{}}
}

func (m *memory) Resolve(_ context.Context, ref image.Reference) (image.Descriptor, []byte, error) {
	d, ok := m.refs[ref.String()]
	if !ok {
		return d, nil, fmt.Errorf("%s: %w", ref, image.ErrNotFound)
	}
	return d, m.blobs[d.Digest], nil
}

func (m *memory) Manifest(_ context.Context, _ image.Reference, d image.Descriptor) ([]byte, error) {
	m.count(d.Digest)
	raw, ok := m.blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("%s: %w", d.Digest, image.ErrNotFound)
	}
	return raw, nil
}

func (m *memory) count(d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[d]++
}

func (m *memory) times(d digest.Digest) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[d]
}

func (m *memory) Blob(ctx context.Context, ref image.Reference, d image.Descriptor, offset int64) (io.ReadCloser, error) {
	if offset > 0 && m.noRanges {
		return nil, image.ErrNoRange
	}
	return m.part(ctx, d, offset, d.Size-offset)
}

func (m *memory) BlobRange(ctx context.Context, ref image.Reference, d image.Descriptor, offset, n int64) (io.ReadCloser, error) {
	if m.noRanges {
		return nil, image.ErrNoRange
	}
	return m.part(ctx, d, offset, n)
}

func (m *memory) part(ctx context.Context, d image.Descriptor, offset, n int64) (io.ReadCloser, error) {
	m.count(d.Digest)
	content, ok := m.blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("%s: %w", d.Digest, image.ErrNotFound)
	}
	if m.spoil != nil {
		content = m.spoil(d.Digest, content)
	}
	content = content[min(offset, int64(len(content))):]
	if int64(len(content)) > n && m.spoil == nil {
		content = content[:n]
	}
	return io.NopCloser(&sender{m, ctx, bytes.NewReader(content)}), nil
}

type sender struct {
	m   *memory
	ctx context.Context
	r   *bytes.Reader
}

func (s *sender) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, context.Cause(s.ctx)
	}
	if s.m.slow > 0 {
		p = p[:min(len(p), 32<<10)]
		time.Sleep(s.m.slow)
	}
	n, err := s.r.Read(p)
	s.m.sent.Add(int64(n))
	return n, err
}

func (m *memory) add(mediaType string, raw []byte) image.Descriptor {
	d := image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	m.blobs[d.Digest] = raw
	return d
}

func (m *memory) addJSON(t *testing.T, mediaType string, v any) image.Descriptor {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return m.add(mediaType, raw)
}

// testLayer is a layer's archive and how it is packed.
type testLayer struct {
	archive []byte
	kind    layer.Kind
	docker  bool
	diffID  digest.Digest // a wrong one, if set
}

func (m *memory) layer(t *testing.T, l testLayer) image.Descriptor {
	t.Helper()
	var b bytes.Buffer
	w, err := layer.Compress(&b, layer.Compression{Kind: l.kind})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(l.archive); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mediaType := ocispec.MediaTypeImageLayerGzip
	switch {
	case l.docker:
		mediaType = image.DockerLayerGzip
	case l.kind == layer.Zstd:
		mediaType = ocispec.MediaTypeImageLayerZstd
	case l.kind == layer.None:
		mediaType = ocispec.MediaTypeImageLayer
	}
	return m.add(mediaType, b.Bytes())
}

// image adds an image and returns its manifest's descriptor.
func (m *memory) image(t *testing.T, layers ...testLayer) image.Descriptor {
	t.Helper()
	config := ocispec.Image{Platform: image.HostPlatform(), RootFS: ocispec.RootFS{Type: "layers"}}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	configType := ocispec.MediaTypeImageConfig
	for _, l := range layers {
		id := l.diffID
		if id == "" {
			id = digest.FromBytes(l.archive)
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, id)
		manifest.Layers = append(manifest.Layers, m.layer(t, l))
		if l.docker {
			manifest.MediaType, configType = image.DockerManifest, image.DockerConfig
		}
	}
	manifest.Config = m.addJSON(t, configType, config)
	d := m.addJSON(t, manifest.MediaType, manifest)
	d.Platform = &config.Platform
	return d
}

func (m *memory) manifestOf(t *testing.T, d image.Descriptor) *ocispec.Manifest {
	t.Helper()
	var out ocispec.Manifest
	if err := json.Unmarshal(m.blobs[d.Digest], &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func (m *memory) tag(t *testing.T, name string, d image.Descriptor) image.Reference {
	t.Helper()
	ref, err := image.ParseReference(name)
	if err != nil {
		t.Fatal(err)
	}
	m.refs[ref.String()] = d
	return ref
}

// archive makes a tar of files: "name" → content; names that end in "/" are
// directories.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), ModTime: time.Unix(1_600_000_000, 0), Typeflag: tar.TypeReg}
		if strings.HasSuffix(h.Name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(t *testing.T, files ...string) testLayer {
	return testLayer{archive: archive(t, files...), kind: layer.Gzip}
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "store"))
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func pullInto(s *store.Store, m *memory, ref image.Reference) (Result, error) {
	return Pull(context.Background(), Options{Store: s, Source: m, Ref: ref, Unpack: true, Apply: HostApply()})
}

func mustPull(t *testing.T, s *store.Store, m *memory, ref image.Reference) Result {
	t.Helper()
	r, err := pullInto(s, m, ref)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	return r
}

// sound fails the test when Verify finds a fault.
func sound(t *testing.T, s *store.Store) {
	t.Helper()
	faults, err := s.Verify(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("the store is not sound: %s", f)
	}
}

func read(t *testing.T, s *store.Store, r Result, i int, name string) string {
	t.Helper()
	dir, ok := s.Layer(r.Chain[i])
	if !ok {
		t.Fatalf("layer %d is not unpacked", i)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func hardLink(t *testing.T, name, target string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// modes makes an archive of directories: name, mode, name, mode …
func modes(t *testing.T, pairs ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i].(string), Mode: int64(pairs[i+1].(int)), Typeflag: tar.TypeDir}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
