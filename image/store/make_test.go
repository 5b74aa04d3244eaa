package store

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// open opens a store of the test's own.
func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func describe(mediaType string, raw []byte) image.Descriptor {
	return image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

func reference(name string) image.Reference {
	r, err := image.ParseReference(name)
	if err != nil {
		panic(err)
	}
	return r
}

// made is an image that put has stored.
type made struct {
	image.Descriptor // the manifest
	config           image.Descriptor
	layers           []image.Descriptor
	chains           []digest.Digest
}

// put stores an image as a pull does: each layer fetched and unpacked, then config
// and manifest. The layers are what their text says; nothing is a tar.
func put(s *Store, layers ...string) (made, error) {
	var m made
	config := ocispec.Image{Platform: image.HostPlatform()}
	for _, l := range layers {
		d := describe(ocispec.MediaTypeImageLayer, []byte(l))
		m.layers = append(m.layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	m.chains = image.ChainIDs(config.RootFS.DiffIDs)
	for i, l := range layers {
		if err := putLayer(s, m.layers[i], m.chains[i], l); err != nil {
			return m, err
		}
	}
	var err error
	if m.config, err = putJSON(s, ocispec.MediaTypeImageConfig, config); err != nil {
		return m, err
	}
	m.Descriptor, err = putJSON(s, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: m.config, Layers: m.layers,
	})
	return m, err
}

func putLayer(s *Store, d image.Descriptor, chain digest.Digest, text string) error {
	if err := fetch(s, d, text); err != nil {
		return err
	}
	w, err := s.NewLayer(ctx, chain)
	if errors.Is(err, ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Dir()+"/file", []byte(text), 0o644); err != nil {
		return errors.Join(err, w.Abort())
	}
	w.Meta.Size = d.Size
	return w.Commit()
}

// fetch stores a blob in two halves, the second one first.
func fetch(s *Store, d image.Descriptor, text string) error {
	in, err := s.Ingest(ctx, d)
	if errors.Is(err, ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	half := max(int(in.Have()), len(text)/2)
	_, err = in.WriteAt([]byte(text[half:]), int64(half))
	if have := in.Have(); err == nil && have < int64(half) {
		_, err = in.WriteAt([]byte(text[have:half]), have)
	}
	if err != nil {
		return errors.Join(err, in.Close())
	}
	return in.Commit(d.Digest)
}

func putJSON(s *Store, mediaType string, v any) (image.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return image.Descriptor{}, err
	}
	d := describe(mediaType, raw)
	return d, s.WriteBlob(d, raw)
}

// mustPut is put and Tag for tests in one process.
func mustPut(t *testing.T, s *Store, name string, layers ...string) made {
	t.Helper()
	m, err := put(s, layers...)
	if err == nil && name != "" {
		err = s.Tag(reference(name), m.Descriptor)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sound fails the test when Verify finds a fault.
func sound(t *testing.T, s *Store) {
	t.Helper()
	faults, err := s.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}
