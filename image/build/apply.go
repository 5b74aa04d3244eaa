package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image/layer"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
)

// apply unpacks the blob of a layer into the store, verifying both its digests.
func (b *builder) apply(ctx context.Context, l *buildLayer) error {
	w, err := b.o.Store.NewLayer(ctx, l.chain)
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }() // gc removes what cannot be removed now
	blob, err := b.o.Store.Blob(*l.blob)
	if err != nil {
		return err
	}
	defer blob.Close()
	raw, plain := l.blob.Digest.Verifier(), sha256.New()
	archive, err := layer.Decompress(l.blob.MediaType, io.TeeReader(blob, raw))
	if err != nil {
		return err
	}
	defer archive.Close()
	below, err := l.below(ctx)
	if err != nil {
		return err
	}
	dir, err := w.Open()
	if err != nil {
		return err
	}
	defer dir.Close()
	opts := layer.ApplyOptions{UserNS: b.o.UserNS, Squash: b.o.OneOwner, Lower: func(context.Context) ([]*os.File, error) { return below, nil }}
	if b.o.UserNS {
		opts.Format = layer.OverlayUser
	}
	tee := io.TeeReader(archive, plain)
	result, err := layer.Apply(ctx, dir, tee, opts)
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", l.blob.Digest, err)
	}
	// Behind the archive's end there can be more of the blob.
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return err
	}
	if !raw.Verified() {
		return fmt.Errorf("layer %s: the content of the store has another digest", l.blob.Digest)
	}
	if got := digest.NewDigest(digest.SHA256, plain); got != l.diffID {
		return fmt.Errorf("layer %s: unpacked it is %s, not %s", l.blob.Digest, got, l.diffID)
	}
	if err := layer.DropNeedless(ctx, dir, result.Whiteouts, below); err != nil {
		return err
	}
	if err := layer.Inherit(ctx, dir, result.Implied, below); err != nil {
		return err
	}
	w.Meta.DiffID, w.Meta.Entries, w.Meta.Size, w.Meta.Format = l.diffID, result.Entries, result.Bytes, b.format()
	return w.Commit()
}

// format is what the store notes about the directories of this build.
func (b *builder) format() string {
	if b.o.UserNS {
		return "overlay-user"
	}
	return "overlay"
}
