package testregistry

import (
	"encoding/json"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layer is a layer as it is stored: compressed or not.
type Layer struct {
	// MediaType is the layer's; empty: the OCI type for gzip.
	MediaType string
	Raw       []byte
	// DiffID is the digest of the layer before compression.
	DiffID digest.Digest
}

// Image is an image to store.
type Image struct {
	// Platform is the image's; without an architecture linux/amd64.
	Platform ocispec.Platform
	Config   ocispec.ImageConfig
	Layers   []Layer
	// Docker writes Docker's media types.
	Docker bool
}

// PutImage stores an image with its blobs, and names it if tag is not empty.
func (r *Registry) PutImage(repo, tag string, i Image) ocispec.Descriptor {
	if i.Platform.Architecture == "" {
		i.Platform = ocispec.Platform{OS: "linux", Architecture: "amd64"}
	}
	mediaType, configType := ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig
	if i.Docker {
		mediaType = "application/vnd.docker.distribution.manifest.v2+json"
		configType = "application/vnd.docker.container.image.v1+json"
	}
	config := ocispec.Image{Platform: i.Platform, Config: i.Config, RootFS: ocispec.RootFS{Type: "layers"}}
	m := ocispec.Manifest{MediaType: mediaType}
	m.SchemaVersion = 2
	for _, l := range i.Layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
		d := r.PutBlob(repo, l.Raw)
		d.MediaType = l.MediaType
		if d.MediaType == "" {
			d.MediaType = ocispec.MediaTypeImageLayerGzip
		}
		m.Layers = append(m.Layers, d)
	}
	m.Config = r.PutBlob(repo, encode(config))
	m.Config.MediaType = configType
	d := r.PutManifest(repo, tag, mediaType, encode(m))
	d.Platform = &i.Platform
	return d
}

// PutIndex stores an index of what is there already.
func (r *Registry) PutIndex(repo, tag string, manifests ...ocispec.Descriptor) ocispec.Descriptor {
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests}
	index.SchemaVersion = 2
	return r.PutManifest(repo, tag, index.MediaType, encode(index))
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types of the specification always encode
	}
	return raw
}
