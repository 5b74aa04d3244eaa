package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"berth/image"
	"berth/image/layer"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// layer is one layer of a stage: of a base image, from the cache, or just made and
// perhaps still being packed.
type buildLayer struct {
	b      *builder
	parent *buildLayer
	// created is when the step was done.
	created time.Time

	// settled is closed when what follows is known, or err.
	settled chan struct{}
	err     error
	diffID  digest.Digest
	chain   digest.Digest
	// record is what the cache knows of it; nil for layers of images.
	record *record
	// origin is the cache from elsewhere that has the blob.
	origin *CacheSource

	mu sync.Mutex
	// dir is a handle of the unpacked layer, opened when it is first needed.
	dir *os.File
	// blob is the packed layer; nil until somebody needs it.
	blob *image.Descriptor
}

type layerList = []*buildLayer

// known makes a layer that is in the store.
func (b *builder) known(parent *buildLayer, chain, diffID digest.Digest, blob *image.Descriptor, created time.Time) *buildLayer {
	l := &buildLayer{b: b, parent: parent, chain: chain, diffID: diffID, blob: blob, created: created, settled: make(chan struct{})}
	close(l.settled)
	return l
}

// wait waits until digests are known.
func (l *buildLayer) wait(ctx context.Context) error {
	select {
	case <-l.settled:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// isSettled tells whether digests are known now.
func (l *buildLayer) isSettled() bool {
	select {
	case <-l.settled:
		return l.err == nil
	default:
		return false
	}
}

// open returns the handle of the unpacked layer.
func (l *buildLayer) open(ctx context.Context) (*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir != nil {
		return l.dir, nil
	}
	if err := l.wait(ctx); err != nil {
		return nil, err
	}
	path, ok := l.b.o.Store.Layer(l.chain)
	if !ok {
		var err error
		if path, err = l.unpack(ctx); err != nil {
			return nil, err
		}
	}
	dir, err := openPath(path)
	if err != nil {
		return nil, err
	}
	l.dir = dir
	return dir, nil
}

// dirs are the handles of all layers.
func dirs(ctx context.Context, layers layerList) ([]*os.File, error) {
	list := make([]*os.File, 0, len(layers))
	for _, l := range layers {
		d, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// below are the handles of the layers under l, the topmost first.
func (l *buildLayer) below(ctx context.Context) ([]*os.File, error) {
	var list []*os.File
	for p := l.parent; p != nil; p = p.parent {
		d, err := p.open(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// made makes a layer of what a step has written, and packs it in the background.
func (b *builder) made(ctx context.Context, parent *buildLayer, w *workspace, r *record, pack bool) *buildLayer {
	l := &buildLayer{b: b, parent: parent, created: b.now(), settled: make(chan struct{}), record: r}
	path := filepath.Join(w.dir, "upper")
	l.dir, l.err = openPath(path)
	w.close()
	if l.err != nil {
		close(l.settled)
		return l
	}
	b.background.Go(func() {
		defer close(l.settled)
		if l.err = l.settle(ctx, path, pack); l.err != nil && r != nil {
			l.err = fmt.Errorf("layer of %s: %w", r.Step, l.err)
		}
	})
	return l
}

// settle finds the digests, packs if that is wanted, and hands all of it to the keeper.
func (l *buildLayer) settle(ctx context.Context, path string, pack bool) (err error) {
	made := store.Made{Dir: path}
	if pack {
		if made.Blob, err = l.b.o.Store.NewBlob(ctx); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = made.Blob.Close() // gc removes what cannot be removed now
			}
		}()
	}
	if err := l.b.acquire(ctx); err != nil {
		return err
	}
	result, err := l.pack(ctx, made.Blob)
	l.b.release()
	if err != nil {
		return err
	}
	parent := digest.Digest("")
	if l.parent != nil {
		if err := l.parent.wait(ctx); err != nil {
			return err
		}
		parent = l.parent.chain
	}
	l.chain = chainOf(parent, l.diffID)
	made.Layer = store.LayerMeta{Chain: l.chain, DiffID: l.diffID, Entries: result.Entries, Size: result.Bytes, Format: l.b.format()}
	if made.Record, err = l.cacheRecord(); err != nil {
		return err
	}
	// If the store has the layer, since another step has made the same, the directory
	// stays where it is until the end of the build: overlays of later steps stand on it.
	l.b.keeper.add(made)
	return nil
}

func chainOf(parent, diffID digest.Digest) digest.Digest {
	if parent == "" {
		return diffID
	}
	return digest.FromString(parent.String() + " " + diffID.String())
}

// pack writes the layer as a tar archive: for its digest alone, or into a blob, which
// the caller commits.
func (l *buildLayer) pack(ctx context.Context, blob *store.BlobWriter) (layer.DiffResult, error) {
	below, err := l.below(ctx)
	if err != nil {
		return layer.DiffResult{}, err
	}
	dir, err := os.Open(procPath(l.dir))
	if err != nil {
		return layer.DiffResult{}, err
	}
	defer dir.Close()
	plain := sha256.New()
	options := layer.DiffOptions{SourceDateEpoch: l.b.o.Epoch, Lower: below}
	if blob == nil {
		result, err := layer.Diff(ctx, dir, plain, options)
		if err != nil {
			return result, fmt.Errorf("pack layer: %w", err)
		}
		return result, l.identify(plain)
	}
	packed, err := layer.Compress(blob, layer.Compression{Kind: layer.Gzip})
	if err != nil {
		return layer.DiffResult{}, err
	}
	result, err := layer.Diff(ctx, dir, io.MultiWriter(plain, packed), options)
	if err = errors.Join(err, packed.Close()); err != nil {
		return result, fmt.Errorf("pack layer: %w", err)
	}
	if err := l.identify(plain); err != nil {
		return result, err
	}
	d := blob.Descriptor(ocispec.MediaTypeImageLayerGzip)
	l.blob = &d
	return result, nil
}

// identify sets the diff id, or compares it with the one that is known.
func (l *buildLayer) identify(h hash.Hash) error {
	d := digest.NewDigest(digest.SHA256, h)
	if l.diffID != "" && l.diffID != d {
		return fmt.Errorf("layer %s: its directory in the store has changed: it is now %s", l.diffID, d)
	}
	l.diffID = d
	return nil
}

// packed returns the layer as a blob, which it makes if there is none.
func (l *buildLayer) packed(ctx context.Context) (image.Descriptor, error) {
	if err := l.wait(ctx); err != nil {
		return image.Descriptor{}, err
	}
	if err := l.b.keeper.flush(); err != nil {
		return image.Descriptor{}, err
	}
	l.mu.Lock()
	blob := l.blob
	l.mu.Unlock()
	if err := l.fetch(ctx); err != nil {
		return image.Descriptor{}, err
	}
	if blob != nil && l.b.o.Store.Has(blob.Digest) {
		return *blob, nil
	}
	if _, err := l.open(ctx); err != nil {
		return image.Descriptor{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out, err := l.b.o.Store.NewBlob(ctx)
	if err != nil {
		return image.Descriptor{}, err
	}
	defer out.Close()
	if _, err := l.pack(ctx, out); err != nil {
		return image.Descriptor{}, err
	}
	if _, err := out.Commit(l.blob.MediaType); err != nil {
		return image.Descriptor{}, err
	}
	return *l.blob, l.b.remember(l)
}

// unpack makes the directory of a layer of which only the blob is in the store.
func (l *buildLayer) unpack(ctx context.Context) (string, error) {
	if err := l.fetch(ctx); err != nil {
		return "", err
	}
	if l.blob == nil || !l.b.o.Store.Has(l.blob.Digest) {
		return "", fmt.Errorf("layer %s: %w in the store", l.chain, store.ErrNotFound)
	}
	if err := l.b.apply(ctx, l); err != nil {
		return "", err
	}
	path, ok := l.b.o.Store.Layer(l.chain)
	if !ok {
		return "", fmt.Errorf("layer %s: %w in the store", l.chain, store.ErrNotFound)
	}
	return path, nil
}
