package store

import (
	"context"
	"errors"
	"io"

	"berth/image"
)

// Source is the store as a place that images come from: for push and save.
func (s *Store) Source() image.Source { return source{s} }

type source struct{ s *Store }

func (s source) Resolve(_ context.Context, ref image.Reference) (image.Descriptor, []byte, error) {
	d, err := s.s.Lookup(ref)
	if err != nil {
		return d, nil, err
	}
	raw, err := s.s.ReadBlob(d, image.MaxManifest)
	return d, raw, err
}

func (s source) Manifest(_ context.Context, _ image.Reference, d image.Descriptor) ([]byte, error) {
	return s.s.ReadBlob(d, image.MaxManifest)
}

func (s source) Blob(_ context.Context, _ image.Reference, d image.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := s.s.Blob(d)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s source) BlobRange(_ context.Context, _ image.Reference, d image.Descriptor, offset, n int64) (io.ReadCloser, error) {
	f, err := s.s.Blob(d)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, n), f}, nil
}
