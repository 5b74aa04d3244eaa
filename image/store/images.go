package store

import (
	"berth/image"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is the manifest of one platform's image.
type Image struct {
	Descriptor image.Descriptor
	Manifest   *ocispec.Manifest
}

// Images returns the images of a manifest or index that are in the store, each once,
// in the order of the index. What cannot be read is left out; Verify says why.
func (s *Store) Images(d image.Descriptor) []Image {
	var images []Image
	// An index in an index is legal. A hostile one lists the same ones again and
	// again.
	seen := map[digest.Digest]bool{}
	var walk func(image.Descriptor)
	walk = func(d image.Descriptor) {
		if seen[d.Digest] || !s.Has(d.Digest) {
			return
		}
		seen[d.Digest] = true
		m, _, err := s.ReadManifest(d)
		switch {
		case err != nil:
		case m.Image != nil:
			d.MediaType = m.MediaType
			images = append(images, Image{Descriptor: d, Manifest: m.Image})
		default:
			for _, child := range m.Index.Manifests {
				walk(child)
			}
		}
	}
	walk(d)
	return images
}

// Image returns the image of a manifest, or the one of an index that fits a
// platform best among those in the store.
func (s *Store) Image(d image.Descriptor, want image.Platform) (Image, error) {
	m, _, err := s.ReadManifest(d)
	if err != nil {
		return Image{}, err
	}
	if m.Image != nil {
		return Image{Descriptor: d, Manifest: m.Image}, nil
	}
	// What was pulled for another platform only, is better than what is not here:
	// but only if it runs.
	var here []image.Descriptor
	for _, child := range m.Index.Manifests {
		if s.Has(child.Digest) {
			here = append(here, child)
		}
	}
	best, err := image.SelectPlatform(here, want)
	if err != nil {
		return Image{}, err
	}
	return s.Image(best, want)
}
