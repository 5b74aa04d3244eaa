package pull

import (
	"errors"
	"fmt"
	"io"

	"berth/image"
	"berth/image/store"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fetchManifest returns a manifest or index from the store or the source. raw is
// its content if that is known.
func (p *puller) fetchManifest(d image.Descriptor, raw []byte) (*image.Manifest, []byte, error) {
	var err error
	if raw == nil {
		raw, err = p.stored(d)
	}
	if raw == nil && err == nil {
		raw, err = p.o.Source.Manifest(p.ctx, p.o.Ref, d)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := image.ParseManifest(d.MediaType, raw)
	return m, raw, err
}

// stored returns small content of the store, verified; nil when the store does not
// have it. What is damaged is removed, so that it comes anew.
func (p *puller) stored(d image.Descriptor) ([]byte, error) {
	if !p.o.Store.Has(d.Digest) {
		return nil, nil
	}
	raw, err := p.o.Store.ReadBlob(d, image.MaxManifest)
	var damaged *store.DamagedError
	if p.o.Source != nil && errors.As(err, &damaged) {
		p.changed.Store(true)
		return nil, p.o.Store.RemoveBlob(d.Digest)
	}
	return raw, err
}

// keep writes content into the store that it does not have yet.
func (p *puller) keep(d image.Descriptor, raw []byte) error {
	if p.o.Store.Has(d.Digest) {
		return nil
	}
	p.changed.Store(true)
	return p.o.Store.WriteBlob(d, raw)
}

// image brings configuration and layers of one image, whose manifest is m, into the
// store: the layers once it is known to be the right one. The configuration is nil for
// what is no image but a chart, say, which cannot be unpacked.
func (p *puller) image(d image.Descriptor, m *ocispec.Manifest, unpack bool) (*image.Config, error) {
	for _, l := range m.Layers {
		// Their content would come from a URL that the manifest names: from a host
		// that nobody chose (CVE-2020-15157).
		if image.IsForeign(l.MediaType) && !p.o.Store.Has(l.Digest) {
			return nil, fmt.Errorf("layer %s: it is a foreign layer, which the registry does not have itself; berth follows no URLs of manifests", l.Digest)
		}
	}
	config, raw, err := p.config(m.Config)
	if err != nil {
		return nil, err
	}
	if err := p.fits(d, config); err != nil {
		return nil, err
	}
	set := &layerSet{p: p, manifest: m}
	if unpack {
		if config == nil {
			return nil, fmt.Errorf("it is no image: its configuration is of type %q; it can be fetched, but not unpacked", m.Config.MediaType)
		}
		if len(config.RootFS.DiffIDs) != len(m.Layers) {
			return nil, fmt.Errorf("its configuration lists %d layers, its manifest %d", len(config.RootFS.DiffIDs), len(m.Layers))
		}
		set.diffIDs = config.RootFS.DiffIDs
		set.chain = image.ChainIDs(set.diffIDs)
		p.result.Chain = set.chain
	}
	if err := set.run(p.ctx); err != nil {
		return nil, err
	}
	return config, p.keep(m.Config, raw)
}

// config returns the configuration and its bytes; nil when it is none of an image.
// The content of one that is not is fetched as well, small or not.
func (p *puller) config(d image.Descriptor) (*image.Config, []byte, error) {
	isImage := d.MediaType == ocispec.MediaTypeImageConfig || d.MediaType == image.DockerConfig
	raw, err := p.small(d)
	if err != nil || !isImage {
		return nil, raw, err
	}
	c, err := image.ParseConfig(raw)
	return c, raw, err
}

// small fetches a blob that has to fit into memory.
func (p *puller) small(d image.Descriptor) ([]byte, error) {
	if d.Size > image.MaxManifest {
		return nil, fmt.Errorf("configuration %s: its %d bytes are above the limit of %d", d.Digest, d.Size, image.MaxManifest)
	}
	raw, err := p.stored(d)
	if raw != nil || err != nil {
		return raw, err
	}
	if p.o.Source == nil {
		return nil, fmt.Errorf("configuration %s: %w", d.Digest, store.ErrNotFound)
	}
	r, err := p.o.Source.Blob(p.ctx, p.o.Ref, d, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close() // opened for reading
	raw, err = io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", d.Digest, err)
	}
	if int64(len(raw)) > d.Size {
		return nil, fmt.Errorf("fetch %s: the source sends more than the %d bytes that were announced", d.Digest, d.Size)
	}
	if int64(len(raw)) < d.Size {
		return nil, fmt.Errorf("fetch %s: the source ends after %d of %d bytes", d.Digest, len(raw), d.Size)
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return nil, fmt.Errorf("blob %s: its content has the digest %s", d.Digest, got)
	}
	p.fetched.Add(d.Size)
	return raw, nil
}
