package build

import (
	"context"
	"slices"
	"sync"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CacheMediaType is the type of a cache's records, which stand where an image has its
// configuration: a cache is a manifest with the layers of steps, so that registries
// and layouts keep it like an image. Of several platforms there is an index.
const CacheMediaType = "application/vnd.berth.buildcache.v1+json"

const cacheVersion = 1

// cacheDocument is what a cache that was written elsewhere says.
type cacheDocument struct {
	Version int                      `json:"version"`
	Steps   map[string]*record       `json:"steps"`
	Sums    map[string]digest.Digest `json:"sums,omitempty"`
}

// inlineConfig is the configuration of an image that carries the cache of its own
// layers.
type inlineConfig struct {
	*image.Config
	Cache *cacheDocument `json:"berth.buildcache.v1,omitempty"`
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
	doc, layers, err := b.cacheDocument(s, b.o.CacheTo, func(l *buildLayer) (image.Descriptor, error) { return l.packed(ctx) })
	if err != nil {
		return err
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: layers}
	if manifest.Config, err = b.writeJSON(CacheMediaType, doc); err != nil {
		return err
	}
	cache, err := b.writeJSON(ocispec.MediaTypeImageManifest, manifest)
	r.Cache = &cache
	return err
}

// cacheDocument is the cache of this build, with the layers that it names.
func (b *builder) cacheDocument(s *state, mode CacheMode, blobOf func(*buildLayer) (image.Descriptor, error)) (*cacheDocument, []image.Descriptor, error) {
	b.exports.mu.Lock()
	defer b.exports.mu.Unlock()
	doc := &cacheDocument{Version: cacheVersion, Steps: map[string]*record{}, Sums: b.exports.sums}
	layers := []image.Descriptor{}
	for _, key := range sortedNames(b.exports.layers) {
		l := b.exports.layers[key]
		if mode == CacheMin && !slices.Contains(s.layers, l) {
			continue
		}
		blob, err := blobOf(l)
		if err != nil {
			return nil, nil, err
		}
		rec := *l.record
		rec.DiffID, rec.Chain, rec.Blob, rec.Created = l.diffID, l.chain, &blob, l.created
		if b.o.Epoch != nil {
			rec.Created = *b.o.Epoch
		}
		doc.Steps[key] = &rec
		if !slices.ContainsFunc(layers, func(d image.Descriptor) bool { return d.Digest == blob.Digest }) {
			layers = append(layers, plainDescriptor(blob))
		}
	}
	return doc, layers, nil
}

// writeConfig writes the configuration of an image, with its cache if that is wanted.
func (b *builder) writeConfig(ctx context.Context, s *state, config *image.Config) (image.Descriptor, error) {
	inline := inlineConfig{Config: config}
	if b.o.CacheInline {
		var err error
		if inline.Cache, _, err = b.cacheDocument(s, CacheMin, func(l *buildLayer) (image.Descriptor, error) { return b.outgoing(ctx, s, l) }); err != nil {
			return image.Descriptor{}, err
		}
	}
	return b.writeJSON(ocispec.MediaTypeImageConfig, inline)
}

// publishCache makes one descriptor of the caches of all platforms.
func (o *Options) publishCache(r *Result) error {
	if o.CacheTo == CacheNone {
		return nil
	}
	if len(r.Images) == 1 {
		r.Cache = r.Images[0].Cache
		return nil
	}
	d, err := o.writeIndex(r, Annotations{}, func(built Built) image.Descriptor { return *built.Cache })
	r.Cache = &d
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
