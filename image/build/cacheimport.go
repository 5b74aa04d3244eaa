package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"berth/image"
	"berth/image/store"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CacheSource is a cache that steps are looked up in after the store's own: one that
// --cache-to has written, or an image with one in it.
type CacheSource struct {
	// Source and Ref say where it is, Descriptor and Manifest are what Ref stands for.
	Source     image.Source
	Ref        image.Reference
	Descriptor image.Descriptor
	Manifest   []byte
}

// imported is a cache that was read.
type imported struct {
	source CacheSource
	doc    *cacheDocument
}

// errNoCache: the image holds none that is berth's.
var errNoCache = errors.New("it holds no build cache of berth; --cache-to writes one, for an image type=inline")

// importCaches reads the records of caches. One that cannot be read is a warning: a
// build works without it.
func (o *Options) importCaches(ctx context.Context) []imported {
	var list []imported
	for _, c := range o.CacheFrom {
		docs, err := c.read(ctx)
		if err != nil && o.Warn != nil {
			o.Warn(fmt.Sprintf("--cache-from %s: %v", c.Ref.Familiar(), err))
		}
		for _, doc := range docs {
			list = append(list, imported{source: c, doc: doc})
		}
	}
	return list
}

// read gets the records, of an index those of all platforms: their keys do not mix,
// and what was done on the building platform serves all.
func (c CacheSource) read(ctx context.Context) ([]*cacheDocument, error) {
	m, err := image.ParseManifest(c.Descriptor.MediaType, c.Manifest)
	if err != nil {
		return nil, err
	}
	if m.Index == nil {
		doc, err := c.records(ctx, m.Image.Config)
		return []*cacheDocument{doc}, err
	}
	var docs []*cacheDocument
	for _, d := range m.Index.Manifests {
		doc, err := c.ofPlatform(ctx, d)
		if errors.Is(err, errNoCache) {
			continue
		}
		if err != nil {
			return docs, err
		}
		docs = append(docs, doc)
	}
	if len(docs) == 0 {
		return nil, errNoCache
	}
	return docs, nil
}

func (c CacheSource) ofPlatform(ctx context.Context, d image.Descriptor) (*cacheDocument, error) {
	raw, err := c.Source.Manifest(ctx, c.Ref, d)
	if err != nil {
		return nil, err
	}
	m, err := image.ParseManifest(d.MediaType, raw)
	if err != nil {
		return nil, err
	}
	if m.Index != nil {
		return nil, errNoCache // not one that berth writes
	}
	return c.records(ctx, m.Image.Config)
}

// records reads those of one manifest by its configuration.
func (c CacheSource) records(ctx context.Context, config image.Descriptor) (*cacheDocument, error) {
	inline := config.MediaType == ocispec.MediaTypeImageConfig || config.MediaType == image.DockerConfig
	most := int64(64 << 20)
	switch {
	case inline:
		most = image.MaxManifest
	case config.MediaType != CacheMediaType:
		return nil, errNoCache
	}
	if config.Size > most {
		return nil, fmt.Errorf("its records have %d bytes, more than %d", config.Size, most)
	}
	raw, err := c.blob(ctx, config)
	if err != nil {
		return nil, err
	}
	doc := &cacheDocument{}
	if inline {
		var in inlineConfig
		err = json.Unmarshal(raw, &in)
		doc = in.Cache
	} else {
		err = json.Unmarshal(raw, doc)
	}
	switch {
	case err != nil:
		return nil, err
	case doc == nil:
		return nil, errNoCache
	case doc.Version != cacheVersion:
		return nil, fmt.Errorf("version %d of the cache is not known", doc.Version)
	}
	return doc, nil
}

// blob reads and verifies a small one.
func (c CacheSource) blob(ctx context.Context, d image.Descriptor) ([]byte, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	r, err := c.Source.Blob(ctx, c.Ref, d, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) != d.Size || d.Digest.Algorithm().FromBytes(raw) != d.Digest {
		return nil, fmt.Errorf("records %s: other bytes", d.Digest)
	}
	return raw, nil
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
