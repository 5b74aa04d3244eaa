package image

import (
	"context"
	"errors"
	"io"
)

// ErrNoRange says that a source cannot read a blob from the middle; ask for all.
var ErrNoRange = errors.New("the source serves whole blobs only")

// ErrNotFound says that a source has no such image or blob.
var ErrNotFound = errors.New("not found")

// Source is where images come from: a registry, a layout, an archive. Its methods
// may be called from several goroutines.
type Source interface {
	// Resolve finds the manifest or index that ref names, and returns its bytes,
	// whose digest and size are the descriptor's.
	Resolve(ctx context.Context, ref Reference) (Descriptor, []byte, error)
	// Manifest returns the verified bytes of a manifest or index by its descriptor.
	Manifest(ctx context.Context, ref Reference, d Descriptor) ([]byte, error)
	// Blob opens a blob at an offset. What it reads is not verified yet. A source
	// that has no ranges returns ErrNoRange for offsets above 0.
	Blob(ctx context.Context, ref Reference, d Descriptor, offset int64) (io.ReadCloser, error)
	// BlobRange opens n bytes of a blob from offset on, for large blobs that are
	// fetched in parallel; or ErrNoRange.
	BlobRange(ctx context.Context, ref Reference, d Descriptor, offset, n int64) (io.ReadCloser, error)
}

// Until reads r until ctx ends.
func Until(ctx context.Context, r io.Reader) io.Reader { return until{ctx, r} }

type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}

// Header is a Source that can tell what a name stands for without sending it: where
// pulls are counted this is none.
type Header interface {
	// Head is the source's word alone: only what the caller has already may be taken
	// for it. ErrNotFound when the source does not tell.
	Head(ctx context.Context, ref Reference) (Descriptor, error)
}
