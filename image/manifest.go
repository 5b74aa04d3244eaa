package image

import (
	"encoding/json"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest is a manifest or an index: exactly one of Image and Index is set.
type Manifest struct {
	MediaType string
	Image     *ocispec.Manifest
	Index     *ocispec.Index
}

// ParseManifest reads a manifest or an index. mediaType is what the source says it
// is (Content-Type, descriptor); empty: the document's own field decides.
//
// A document that could be read as either is refused, and so is one whose own media
// type is not what the source says: two readers would see two images
// (CVE-2021-41190).
func ParseManifest(mediaType string, raw []byte) (*Manifest, error) {
	if len(raw) > MaxManifest {
		return nil, fmt.Errorf("manifest: %d bytes are above the limit of %d", len(raw), MaxManifest)
	}
	var shape struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Manifests     json.RawMessage `json:"manifests"`
		Layers        json.RawMessage `json:"layers"`
		Config        json.RawMessage `json:"config"`
		FSLayers      json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(raw, &shape); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if shape.FSLayers != nil || shape.SchemaVersion == 1 {
		return nil, errors.New("manifest: Docker's schema 1 is not supported, it was withdrawn in 2019; push the image anew")
	}
	if shape.Manifests != nil && (shape.Layers != nil || shape.Config != nil) {
		return nil, errors.New("manifest: it has both manifests and layers or config, so it is neither an index nor an image")
	}
	kind, err := manifestType(mediaType, shape.MediaType, shape.Manifests != nil)
	if err != nil {
		return nil, err
	}
	m := &Manifest{MediaType: kind}
	if IsIndex(kind) {
		m.Index = &ocispec.Index{}
		if err := json.Unmarshal(raw, m.Index); err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		return m, checkIndex(m.Index)
	}
	m.Image = &ocispec.Manifest{}
	if err := json.Unmarshal(raw, m.Image); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, checkImage(m.Image)
}

// manifestType decides between what the source says, what the document says and
// what it looks like; they must agree.
func manifestType(said, own string, isIndex bool) (string, error) {
	if said != "" && own != "" && said != own {
		return "", fmt.Errorf("manifest: it comes as %q but calls itself %q", short(said), short(own))
	}
	kind := said
	if kind == "" {
		kind = own
	}
	switch {
	case kind == "" && isIndex:
		return ocispec.MediaTypeImageIndex, nil
	case kind == "":
		return ocispec.MediaTypeImageManifest, nil
	case IsIndex(kind) && isIndex, IsManifest(kind) && !isIndex:
		return kind, nil
	case IsIndex(kind):
		return "", fmt.Errorf("manifest: it comes as %q but lists no manifests", kind)
	case IsManifest(kind):
		return "", fmt.Errorf("manifest: it comes as %q but lists manifests", kind)
	}
	return "", fmt.Errorf("manifest: media type %q is not an image's", short(kind))
}

func checkIndex(index *ocispec.Index) error {
	if len(index.Manifests) > MaxIndex {
		return fmt.Errorf("index: %d manifests are above the limit of %d", len(index.Manifests), MaxIndex)
	}
	for i, d := range index.Manifests {
		if err := CheckDescriptor(d); err != nil {
			return fmt.Errorf("index: manifests[%d]: %w", i, err)
		}
	}
	return nil
}

func checkImage(m *ocispec.Manifest) error {
	if err := CheckDescriptor(m.Config); err != nil {
		return fmt.Errorf("manifest: config: %w", err)
	}
	if len(m.Layers) > MaxLayers {
		return fmt.Errorf("manifest: %d layers are above the limit of %d", len(m.Layers), MaxLayers)
	}
	for i, d := range m.Layers {
		if err := CheckDescriptor(d); err != nil {
			return fmt.Errorf("manifest: layers[%d]: %w", i, err)
		}
	}
	return nil
}
