package store

import (
	"berth/image"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// marks is what is needed: content by digest, unpacked layers by chain id.
type marks struct {
	s      *Store
	blobs  map[digest.Digest]bool
	layers map[digest.Digest]bool
	seen   map[digest.Digest]bool // manifests and indexes that were read
}

// mark finds all that names, containers and the build cache need.
func (s *Store) mark(index *ocispec.Index, containers []Container, o GCOptions) (*marks, error) {
	m := &marks{s: s, blobs: map[digest.Digest]bool{}, layers: map[digest.Digest]bool{}, seen: map[digest.Digest]bool{}}
	for _, d := range index.Manifests {
		m.manifest(d.Digest)
	}
	for _, c := range containers {
		m.manifest(c.Image.Digest)
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
//
// What one image calls a layer, or by another media type or size, may be the manifest
// of another: its word must not take from that what it needs.
func (m *marks) manifest(want digest.Digest) {
	if m.seen[want] {
		return
	}
	m.seen[want] = true
	m.blobs[want] = true
	_, parsed, err := m.s.manifestByDigest(want)
	if err != nil {
		return
	}
	if parsed.Index != nil {
		for _, child := range parsed.Index.Manifests {
			m.manifest(child.Digest)
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
