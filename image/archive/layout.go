package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"berth/image"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationName is where containerd, docker and buildkit write the full name of an
// image; the specification's annotation holds the tag alone then.
const annotationName = "io.containerd.image.name"

// readLayout reads oci-layout and index.json; os.ErrNotExist when there is neither.
func (a *Archive) readLayout() error {
	raw, err := read(a.fs, ocispec.ImageLayoutFile, maxJSON)
	if err != nil {
		return err
	}
	var version ocispec.ImageLayout
	if err := json.Unmarshal(raw, &version); err != nil {
		return fmt.Errorf("read %s: %w", ocispec.ImageLayoutFile, err)
	}
	if version.Version != "1.0" && !strings.HasPrefix(version.Version, "1.0.") {
		return fmt.Errorf("layout version %s is not 1.0", quote(version.Version))
	}
	raw, err = read(a.fs, ocispec.ImageIndexFile, maxJSON)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is missing", ocispec.ImageIndexFile) // not ErrNotExist: it is a layout
	}
	if err != nil {
		return err
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("read %s: %w", ocispec.ImageIndexFile, err)
	}
	if len(index.Manifests) > image.MaxIndex {
		return fmt.Errorf("%s: %d images are above the limit of %d", ocispec.ImageIndexFile, len(index.Manifests), image.MaxIndex)
	}
	for i, d := range index.Manifests {
		e, err := layoutEntry(d)
		if err == nil {
			err = a.add(e)
		}
		if err != nil {
			return fmt.Errorf("%s: manifests[%d]: %w", ocispec.ImageIndexFile, i, err)
		}
	}
	return nil
}

func layoutEntry(d image.Descriptor) (Entry, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return Entry{}, err
	}
	e := Entry{Descriptor: d, Tag: d.Annotations[ocispec.AnnotationRefName]}
	// The annotations say what the layout calls it; they are no part of the image.
	e.Descriptor.Annotations = nil
	name := d.Annotations[annotationName]
	if name == "" && strings.ContainsAny(e.Tag, "/:") {
		name = e.Tag // the whole name, as podman and skopeo write it; else a tag of nothing
	}
	if name != "" {
		// A name that is none is no reason not to read the image.
		if ref, err := image.ParseReference(name); err == nil {
			e.Name = ref
		}
	}
	return e, nil
}
