package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"berth/image"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CacheMediaType is the type of a cache's records, which stand where an image has its
// configuration: a cache is a manifest with the layers of steps, so that registries
// and layouts keep it like an image.
const CacheMediaType = "application/vnd.berth.buildcache.v1+json"

const cacheVersion = 1

// cacheDocument is what a cache that was written elsewhere says.
type cacheDocument struct {
	Version int                      `json:"version"`
	Steps   map[string]*record       `json:"steps"`
	Sums    map[string]digest.Digest `json:"sums,omitempty"`
}

// CacheSource is a cache that steps are looked up in after the store's own.
type CacheSource struct {
	// Source and Ref say where it is, Manifest is its manifest there.
	Source   image.Source
	Ref      image.Reference
	Manifest []byte
}

// imported is a cache that was read.
type imported struct {
	source CacheSource
	doc    cacheDocument
}

// importCaches reads the records of caches. One that cannot be read is a warning: a
// build works without it.
func (b *builder) importCaches(ctx context.Context) {
	for _, c := range b.o.CacheFrom {
		doc, err := c.read(ctx)
		if err != nil {
			b.warn(fmt.Sprintf("--cache-from %s: %v", c.Ref.Familiar(), err))
			continue
		}
		b.imported = append(b.imported, imported{source: c, doc: doc})
	}
}

func (c CacheSource) read(ctx context.Context) (doc cacheDocument, err error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(c.Manifest, &m); err != nil {
		return doc, err
	}
	if m.Config.MediaType != CacheMediaType {
		return doc, errors.New("it is not a build cache of berth")
	}
	if err := image.CheckDescriptor(m.Config); err != nil {
		return doc, err
	}
	const most = 64 << 20
	if m.Config.Size > most {
		return doc, fmt.Errorf("its records have %d bytes, more than %d", m.Config.Size, most)
	}
	r, err := c.Source.Blob(ctx, c.Ref, m.Config, 0)
	if err != nil {
		return doc, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, m.Config.Size+1))
	if err != nil {
		return doc, err
	}
	if int64(len(raw)) != m.Config.Size || m.Config.Digest.Algorithm().FromBytes(raw) != m.Config.Digest {
		return doc, fmt.Errorf("records %s: other bytes", m.Config.Digest)
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return doc, err
	}
	if doc.Version != cacheVersion {
		return doc, fmt.Errorf("version %d of the cache is not known", doc.Version)
	}
	return doc, nil
}

// recallImported looks a step up in the caches from elsewhere.
func (b *builder) recallImported(key string) (*record, *CacheSource) {
	for i := range b.imported {
		r := b.imported[i].doc.Steps[key]
		if r == nil || r.Blob == nil || image.CheckDescriptor(*r.Blob) != nil || image.CheckDigest(r.DiffID) != nil || image.CheckDigest(r.Chain) != nil {
			continue
		}
		own := *r
		own.key = key
		return &own, &b.imported[i].source
	}
	return nil, nil
}

// fetch brings the blob of a layer into the store, if it comes from elsewhere.
func (l *buildLayer) fetch(ctx context.Context) error {
	if l.origin == nil || l.blob == nil || l.b.o.Store.Has(l.blob.Digest) {
		return nil
	}
	in, err := l.b.o.Store.Ingest(ctx, *l.blob)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	have := in.Have()
	r, err := l.origin.Source.Blob(ctx, l.origin.Ref, *l.blob, have)
	if errors.Is(err, image.ErrNoRange) {
		if err := in.Discard(); err != nil {
			return err
		}
		return l.fetch(ctx)
	}
	if err != nil {
		return fmt.Errorf("cached layer %s: %w", l.blob.Digest, err)
	}
	defer r.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(in, r)
		if err != nil {
			in.Fail(err)
		}
		copied <- err
	}()
	sum := l.blob.Digest.Algorithm().Digester()
	_, err = io.Copy(sum.Hash(), io.LimitReader(in.Reader(), l.blob.Size))
	if err = errors.Join(err, <-copied); err != nil {
		return fmt.Errorf("cached layer %s: %w", l.blob.Digest, err)
	}
	if err := in.Commit(sum.Digest()); err != nil {
		return err
	}
	return l.b.remember(l)
}

// exports collects what --cache-to writes.
type exports struct {
	mu     sync.Mutex
	layers map[string]*buildLayer
	sums   map[string]digest.Digest
}

func (e *exports) add(l *buildLayer) {
	if l.record == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.layers == nil {
		e.layers = map[string]*buildLayer{}
	}
	e.layers[l.record.key] = l
}

func (e *exports) sum(key string, d digest.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sums == nil {
		e.sums = map[string]digest.Digest{}
	}
	e.sums[key] = d
}

// exportCache writes the cache of this build into the store, as a manifest: of the
// layers of the image alone, or of all steps.
func (b *builder) exportCache(ctx context.Context, s *state, r *Built) error {
	if b.o.CacheTo == CacheNone {
		return nil
	}
	b.exports.mu.Lock()
	defer b.exports.mu.Unlock()
	doc := cacheDocument{Version: cacheVersion, Steps: map[string]*record{}, Sums: b.exports.sums}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: []image.Descriptor{}}
	for _, key := range sortedNames(b.exports.layers) {
		l := b.exports.layers[key]
		if b.o.CacheTo == CacheMin && !slices.Contains(s.layers, l) {
			continue
		}
		blob, err := l.packed(ctx)
		if err != nil {
			return err
		}
		rec := *l.record
		rec.DiffID, rec.Chain, rec.Blob, rec.Created = l.diffID, l.chain, &blob, l.created
		doc.Steps[key] = &rec
		if !slices.ContainsFunc(manifest.Layers, func(d image.Descriptor) bool { return d.Digest == blob.Digest }) {
			manifest.Layers = append(manifest.Layers, plainDescriptor(blob))
		}
	}
	var err error
	if manifest.Config, err = b.writeJSON(CacheMediaType, doc); err != nil {
		return err
	}
	cache, err := b.writeJSON(ocispec.MediaTypeImageManifest, manifest)
	r.Cache = &cache
	return err
}

// CacheMode is what --cache-to writes.
type CacheMode int

const (
	// CacheNone is nothing.
	CacheNone CacheMode = iota
	// CacheMin is the layers of the image.
	CacheMin
	// CacheMax is all steps.
	CacheMax
)
