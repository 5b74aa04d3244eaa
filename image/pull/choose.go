package pull

import (
	"errors"
	"fmt"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// deepest is how many indexes may stand in each other; more is no image but a trap.
const deepest = 4

// choose returns the manifests to be fetched, for each index those of its images
// before itself.
func (p *puller) choose(top image.Descriptor, m *image.Manifest) ([]image.Descriptor, error) {
	if m.Image != nil {
		return []image.Descriptor{top}, nil
	}
	seen := map[digest.Digest]bool{}
	if p.o.All {
		return p.everything(m, seen, 0)
	}
	platforms := p.o.Platforms
	if len(platforms) == 0 {
		platforms = []image.Platform{image.HostPlatform()}
	}
	var all []image.Descriptor
	for _, want := range platforms {
		chosen, err := p.fitting(m, want)
		if err != nil {
			return nil, err
		}
		for _, d := range chosen {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				all = append(all, d)
			}
		}
	}
	return all, nil
}

// fitting follows one platform through the indexes, to its image.
func (p *puller) fitting(m *image.Manifest, want image.Platform) ([]image.Descriptor, error) {
	var path []image.Descriptor
	for range deepest {
		d, err := image.SelectPlatform(m.Index.Manifests, want)
		if err != nil {
			return nil, err
		}
		path = append([]image.Descriptor{d}, path...)
		if !image.IsIndex(d.MediaType) {
			return path, nil
		}
		if m, err = p.index(d); err != nil {
			return nil, err
		}
	}
	return nil, errTooDeep
}

var errTooDeep = errors.New("its indexes stand in each other too deeply")

// index fetches what another index announces as one.
func (p *puller) index(d image.Descriptor) (*image.Manifest, error) {
	m, _, err := p.fetchManifest(d, nil)
	if err == nil && m.Index == nil {
		err = fmt.Errorf("manifest %s: it is not the index it was announced as", d.Digest)
	}
	return m, err
}

// everything lists all images of an index, each once. What is neither an image nor an
// index is left out: nobody could use it without knowing its kind.
func (p *puller) everything(m *image.Manifest, seen map[digest.Digest]bool, depth int) ([]image.Descriptor, error) {
	if depth == deepest {
		return nil, errTooDeep
	}
	var all []image.Descriptor
	for _, d := range m.Index.Manifests {
		isIndex := image.IsIndex(d.MediaType)
		if seen[d.Digest] || !isIndex && !image.IsManifest(d.MediaType) {
			continue
		}
		seen[d.Digest] = true
		if isIndex {
			sub, err := p.index(d)
			if err != nil {
				return nil, err
			}
			below, err := p.everything(sub, seen, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, below...)
		}
		all = append(all, d)
		if len(all) > image.MaxIndex {
			return nil, fmt.Errorf("index: more than %d manifests", image.MaxIndex)
		}
	}
	return all, nil
}
