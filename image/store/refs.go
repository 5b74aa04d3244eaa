package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"berth/image"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Ref is a name and what it stands for.
type Ref struct {
	// Name is the full name, as image.Reference.String.
	Name string
	// Descriptor is the manifest or index; without the annotation that holds the name.
	Descriptor image.Descriptor
}

// Reference parses the name.
func (r Ref) Reference() (image.Reference, error) { return image.ParseReference(r.Name) }

// Tag gives content a name; what had it before loses it. The content is in the
// store. All that was unpacked before is synced to the disk first.
func (s *Store) Tag(name image.Reference, d image.Descriptor) error {
	if err := image.CheckDescriptor(d); err != nil {
		return err
	}
	release, err := s.Use(context.Background())
	if err != nil {
		return fmt.Errorf("tag %s: %w", name, err)
	}
	defer release()
	if !s.sound(d) {
		return fmt.Errorf("tag %s: blob %s: %w", name, d.Digest, ErrNotFound)
	}
	if err := s.Sync(); err != nil {
		return fmt.Errorf("tag %s: %w", name, err)
	}
	err = s.changeIndex(func(index *ocispec.Index) (bool, error) {
		i := slices.IndexFunc(index.Manifests, named(name.String()))
		if i >= 0 && same(index.Manifests[i], d) {
			return false, nil
		}
		index.Manifests = slices.DeleteFunc(index.Manifests, named(name.String()))
		index.Manifests = append(index.Manifests, withName(d, name.String()))
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("tag %s: %w", name, err)
	}
	return nil
}

// Untag removes a name; the content stays until gc. ErrNotFound when there is none.
func (s *Store) Untag(name image.Reference) error {
	// gc empties tmp, where the new index is written.
	release, err := s.Use(context.Background())
	if err != nil {
		return fmt.Errorf("untag: %w", err)
	}
	defer release()
	err = s.changeIndex(func(index *ocispec.Index) (bool, error) {
		before := len(index.Manifests)
		index.Manifests = slices.DeleteFunc(index.Manifests, named(name.String()))
		if len(index.Manifests) == before {
			return false, &NotFoundError{Name: name.Familiar(), Near: near(name.String(), refNames(index))}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("untag: %w", err)
	}
	return nil
}

// Lookup returns what a name stands for. A name with a digest finds its content
// also when it has no name, or another one. What is not there is a NotFoundError.
func (s *Store) Lookup(name image.Reference) (image.Descriptor, error) {
	index, err := s.readIndex()
	if err != nil {
		return image.Descriptor{}, err
	}
	if i := slices.IndexFunc(index.Manifests, named(name.String())); i >= 0 {
		return plain(index.Manifests[i]), nil
	}
	if want := name.Digest(); want != "" {
		for _, d := range index.Manifests {
			if d.Digest == want {
				return plain(d), nil
			}
		}
		if d, _, err := s.manifestByDigest(want); err == nil {
			return d, nil
		}
	}
	return image.Descriptor{}, &NotFoundError{Name: name.Familiar(), Near: near(name.String(), refNames(index))}
}

// Named returns what a name itself stands for, and ErrNotFound for a name that is not
// in the store, whatever content its digest has.
func (s *Store) Named(name image.Reference) (image.Descriptor, error) {
	index, err := s.readIndex()
	if err != nil {
		return image.Descriptor{}, err
	}
	if i := slices.IndexFunc(index.Manifests, named(name.String())); i >= 0 {
		return plain(index.Manifests[i]), nil
	}
	return image.Descriptor{}, &NotFoundError{Name: name.Familiar()}
}

// Refs returns all names, in order.
func (s *Store) Refs() ([]Ref, error) {
	index, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	refs := make([]Ref, 0, len(index.Manifests))
	for _, d := range index.Manifests {
		refs = append(refs, Ref{Name: d.Annotations[ocispec.AnnotationRefName], Descriptor: plain(d)})
	}
	slices.SortFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	return refs, nil
}

func named(name string) func(image.Descriptor) bool {
	return func(d image.Descriptor) bool { return d.Annotations[ocispec.AnnotationRefName] == name }
}

// withName is the descriptor as it stands in the index.
func withName(d image.Descriptor, name string) image.Descriptor {
	d = plain(d)
	d.Annotations = maps.Clone(d.Annotations)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[ocispec.AnnotationRefName] = name
	return d
}

// plain is the descriptor without its name.
func plain(d image.Descriptor) image.Descriptor {
	if _, has := d.Annotations[ocispec.AnnotationRefName]; !has {
		return d
	}
	d.Annotations = maps.Clone(d.Annotations)
	delete(d.Annotations, ocispec.AnnotationRefName)
	if len(d.Annotations) == 0 {
		d.Annotations = nil
	}
	return d
}

func same(a, b image.Descriptor) bool {
	return a.Digest == b.Digest && a.Size == b.Size && a.MediaType == b.MediaType
}

func refNames(index *ocispec.Index) []string {
	var names []string
	for _, d := range index.Manifests {
		if n := d.Annotations[ocispec.AnnotationRefName]; n != "" {
			names = append(names, n)
		}
	}
	return names
}
