package store

import (
	"fmt"

	"berth/image"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// marks is what is needed: content by digest, unpacked layers by chain id.
type marks struct {
	s      *Store
	blobs  map[digest.Digest]bool
	layers map[digest.Digest]bool
}

// mark finds all that names, containers and the build cache need. A container that
// cannot be read is an error: what it needs is not known.
func (s *Store) mark(index *ocispec.Index, o GCOptions) (*marks, error) {
	m := &marks{s: s, blobs: map[digest.Digest]bool{}, layers: map[digest.Digest]bool{}}
	for _, d := range index.Manifests {
		m.manifest(d)
	}
	containers, skipped, err := s.Containers()
	if err != nil {
		return nil, err
	}
	if len(skipped) > 0 {
		return nil, fmt.Errorf("%w; remove its directory if the container is gone", skipped[0])
	}
	for _, c := range containers {
		m.manifest(c.Image)
		for _, chain := range c.Layers {
			m.layers[chain] = true
		}
	}
	records, err := s.Records()
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if o.dropsRecord(r) {
			continue
		}
		for _, d := range r.Blobs {
			m.blobs[d] = true
		}
		for _, chain := range r.Layers {
			m.layers[chain] = true
		}
	}
	return m, nil
}

// manifest marks a manifest or index and all that is below it. What cannot be read
// ends the way there; Verify reports it.
func (m *marks) manifest(d image.Descriptor) {
	if m.blobs[d.Digest] || image.CheckDescriptor(d) != nil {
		return // also ends a circle
	}
	m.blobs[d.Digest] = true
	if !m.s.Has(d.Digest) {
		return
	}
	parsed, _, err := m.s.ReadManifest(d)
	if err != nil {
		return
	}
	if parsed.Index != nil {
		for _, child := range parsed.Index.Manifests {
			m.manifest(child)
		}
		return
	}
	m.blobs[parsed.Image.Config.Digest] = true
	for _, l := range parsed.Image.Layers {
		m.blobs[l.Digest] = true
	}
	config, _, err := m.s.ReadConfig(parsed.Image.Config)
	if err != nil {
		return
	}
	for _, chain := range image.ChainIDs(config.RootFS.DiffIDs) {
		m.layers[chain] = true
	}
}
