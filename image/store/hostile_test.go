package store

import (
	"io"
	"slices"
	"testing"

	"berth/image"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestGCBelievesNoDescriptor: an image that calls the manifest of another its layer,
// or an index, does not take from that what it needs.
func TestGCBelievesNoDescriptor(t *testing.T) {
	s := open(t, Options{})
	victim := mustPut(t, s, "", "base", "a")
	version := specs.Versioned{SchemaVersion: 2}
	thief, err := putJSON(s, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: version, Config: victim.config, Layers: []image.Descriptor{victim.Descriptor},
	})
	if err != nil {
		t.Fatal(err)
	}
	lie := victim.Descriptor
	lie.MediaType, lie.Size = ocispec.MediaTypeImageIndex, 1
	liar, err := putJSON(s, ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: version, Manifests: []image.Descriptor{lie, thief}})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Tag(reference("liar"), liar) // the one that gc comes to first
	if err == nil {
		err = s.Tag(reference("victim"), victim.Descriptor)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{}); err != nil {
		t.Fatal(err)
	}
	if !whole(s, victim) {
		t.Error("gc has removed parts of an image that has a name")
	}
}

// TestIndexBomb: five indexes of a thousand entries each, all of them the next one,
// would be read 10¹⁵ times.
func TestIndexBomb(t *testing.T) {
	s := open(t, Options{})
	m := mustPut(t, s, "", "a")
	d := m.Descriptor
	for range 5 {
		index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: slices.Repeat([]image.Descriptor{d}, 1000)}
		var err error
		if d, err = putJSON(s, ocispec.MediaTypeImageIndex, index); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Tag(reference("bomb"), d); err != nil {
		t.Fatal(err)
	}
	if images := s.Images(d); len(images) != 1 || images[0].Descriptor.Digest != m.Digest {
		t.Errorf("images: %v", images)
	}
	sound(t, s)
	gc(t, s, GCOptions{})
	if !whole(s, m) {
		t.Error("gc has removed what the index needs")
	}
}

// TestIngestKeepsWhatWasRead: a source that sends other bytes for what a reader has
// verified already does not get them into the store.
func TestIngestKeepsWhatWasRead(t *testing.T) {
	s := open(t, Options{})
	d := describe("x", []byte("verified"))
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.WriteAt([]byte("veri"), 0); err != nil {
		t.Fatal(err)
	}
	if n, err := in.WriteAt([]byte("evilfied"), 0); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	raw, err := io.ReadAll(in.Reader())
	if err != nil || string(raw) != "verified" {
		t.Errorf("%q, %v", raw, err)
	}
	if err := in.Commit(d.Digest); err != nil {
		t.Error(err)
	}
}
