package pull

import (
	"errors"
	"fmt"
	"slices"

	"berth/image"
)

// deepest is how many indexes may stand in each other; more is no image but a trap.
const deepest = 4

// choose returns the manifests to be fetched, for each index those of its images
// before itself.
func (p *puller) choose(top image.Descriptor, m *image.Manifest) ([]image.Descriptor, error) {
	if m.Image != nil {
		return []image.Descriptor{top}, nil
	}
	if p.o.All {
		return p.everything(m, 0)
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
			if !slices.ContainsFunc(all, func(o image.Descriptor) bool { return o.Digest == d.Digest }) {
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
		if m, _, err = p.fetchManifest(d, nil); err != nil {
			return nil, err
		}
		if m.Index == nil {
			return nil, fmt.Errorf("manifest %s: it is not the index it was announced as", d.Digest)
		}
	}
	return nil, errTooDeep
}

var errTooDeep = errors.New("its indexes stand in each other too deeply")

// everything lists all images of an index. What is neither an image nor an index is
// left out: nobody could use it without knowing its kind.
func (p *puller) everything(m *image.Manifest, depth int) ([]image.Descriptor, error) {
	if depth == deepest {
		return nil, errTooDeep
	}
	var all []image.Descriptor
	for _, d := range m.Index.Manifests {
		if image.IsIndex(d.MediaType) {
			sub, _, err := p.fetchManifest(d, nil)
			if err != nil {
				return nil, err
			}
			if sub.Index == nil {
				return nil, fmt.Errorf("manifest %s: it is not the index it was announced as", d.Digest)
			}
			below, err := p.everything(sub, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, below...)
		}
		if image.IsIndex(d.MediaType) || image.IsManifest(d.MediaType) {
			all = append(all, d)
		}
		if len(all) > image.MaxIndex {
			return nil, fmt.Errorf("index: more than %d manifests", image.MaxIndex)
		}
	}
	return all, nil
}
