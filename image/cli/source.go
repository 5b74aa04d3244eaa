package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"berth/image"
	"berth/image/archive"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
)

// origin is where an image comes from, and what it is called there and in the store.
type origin struct {
	image.Source
	// Ref is what the source knows it by.
	Ref image.Reference
	// Name is what it is called in the store.
	Name image.Reference
	// Local says that it is a file or directory, which is cheap to look into.
	Local bool
	// Close gives the source up.
	Close func()
}

// Head is that of the source, if it has one.
func (o *origin) Head(ctx context.Context, ref image.Reference) (image.Descriptor, error) {
	if h, ok := o.Source.(image.Header); ok {
		return h.Head(ctx, ref)
	}
	return image.Descriptor{}, image.ErrNotFound
}

// origin finds out what a word means: an image in a registry, or oci:DIR[:TAG],
// oci-archive:FILE[:TAG], docker-archive:FILE[:TAG].
func (b *berth) origin(word string, r remote) (*origin, error) {
	if place, ok := archive.ParseLocation(word); ok {
		return b.archiveOrigin(place)
	}
	if image.CheckDigest(digest.Digest(word)) == nil {
		// It would parse as a tag of the repository sha256.
		return nil, &store.NotFoundError{Name: word}
	}
	client, settings, err := b.registry(r)
	if err != nil {
		return nil, err
	}
	ref, err := image.ParseReference(settings.Expand(word))
	if err != nil {
		client.Close()
		return nil, err
	}
	return &origin{Source: client, Ref: ref, Name: ref, Close: client.Close}, nil
}

func (b *berth) archiveOrigin(place archive.Location) (*origin, error) {
	a, err := archive.Open(b.ctx, place.Path, archive.Options{})
	if err != nil {
		return nil, err
	}
	stop := func() { _ = a.Close() } // it was only read
	e, err := a.FindTag(place.Tag)
	if err != nil {
		stop()
		return nil, err
	}
	name, err := archiveName(place, e)
	if err != nil {
		stop()
		return nil, err
	}
	ref, err := name.WithDigest(e.Descriptor.Digest)
	if err != nil {
		stop()
		return nil, err
	}
	return &origin{Source: a, Ref: ref, Name: name, Local: true, Close: stop}, nil
}

// archiveName is the image's own, or is made of the archive's.
func archiveName(place archive.Location, e archive.Entry) (image.Reference, error) {
	if !e.Name.IsZero() {
		return e.Name, nil
	}
	path, err := filepath.Abs(place.Path)
	if err != nil {
		return image.Reference{}, err
	}
	base, _, _ := strings.Cut(filepath.Base(path), ".")
	tag := e.Tag
	if tag == "" {
		tag = "latest"
	}
	name, err := image.ParseReference("localhost/" + strings.ToLower(base) + ":" + tag)
	if err != nil {
		return name, fmt.Errorf("%s: the image has no name: %w", place, err)
	}
	return name, nil
}
