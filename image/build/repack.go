package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"berth/image"
	"berth/image/layer"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Packing says how the layers of the result are compressed.
type Packing struct {
	layer.Compression
	// All compresses layers of base images anew, too.
	All bool
}

// outgoing is the blob of a layer as the image has it. The cache keeps gzip: what is
// wanted otherwise is made of that, each once.
func (b *builder) outgoing(ctx context.Context, s *state, l *buildLayer) (image.Descriptor, error) {
	blob, err := l.packed(ctx)
	if err != nil || !b.repacks(s, l, blob) {
		return blob, err
	}
	if d, ok := b.repacked[l]; ok {
		return d, nil
	}
	if err := b.acquire(ctx); err != nil {
		return blob, err
	}
	defer b.release()
	d, err := b.repack(ctx, blob, l.diffID)
	if err != nil {
		return d, fmt.Errorf("compress layer %s: %w", blob.Digest, err)
	}
	if b.repacked == nil {
		b.repacked = map[*buildLayer]image.Descriptor{}
	}
	b.repacked[l] = d
	return d, nil
}

// repacks tells whether a layer is to be compressed in another way than it is.
func (b *builder) repacks(s *state, l *buildLayer, blob image.Descriptor) bool {
	p := b.o.Packing
	if p == nil {
		return false
	}
	for _, inherited := range s.layers[:s.baseLayers] {
		if inherited == l && !p.All {
			return false
		}
	}
	return p.Level != 0 || kindOf(blob.MediaType) != p.Kind
}

func kindOf(mediaType string) layer.Kind {
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		return layer.Gzip
	case strings.HasSuffix(mediaType, "zstd"):
		return layer.Zstd
	}
	return layer.None
}

// repack compresses the archive of a layer anew. It stays the same archive.
func (b *builder) repack(ctx context.Context, blob image.Descriptor, diffID digest.Digest) (image.Descriptor, error) {
	in, err := b.o.Store.Blob(blob)
	if err != nil {
		return blob, err
	}
	defer in.Close()
	plain, err := layer.Decompress(blob.MediaType, in)
	if err != nil {
		return blob, err
	}
	defer plain.Close()
	out, err := b.o.Store.NewBlob(ctx)
	if err != nil {
		return blob, err
	}
	defer out.Close()
	packed, err := layer.Compress(out, b.o.Packing.Compression)
	if err != nil {
		return blob, err
	}
	sum := diffID.Algorithm().Digester()
	_, err = io.Copy(io.MultiWriter(packed, sum.Hash()), &interruptible{ctx, plain})
	if err = errors.Join(err, packed.Close()); err != nil {
		return blob, err
	}
	if sum.Digest() != diffID {
		return blob, fmt.Errorf("its archive has the digest %s, not %s", sum.Digest(), diffID)
	}
	mediaType := ocispec.MediaTypeImageLayer
	switch b.o.Packing.Kind {
	case layer.Gzip:
		mediaType = ocispec.MediaTypeImageLayerGzip
	case layer.Zstd:
		mediaType = ocispec.MediaTypeImageLayerZstd
	}
	return out.Commit(mediaType)
}

// interruptible ends when the build does.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(p []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
