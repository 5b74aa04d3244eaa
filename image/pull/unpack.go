package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image/layer"
	"berth/image/store"
	"berth/internal/idmap"
)

// unpack fetches the layer, if it has to be, and unpacks it into w.
func (l *oneLayer) unpack(ctx context.Context, w *store.LayerWriter) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	if err := l.fill(ctx, w); err != nil {
		return err
	}
	l.task.Phase("waiting") // for those below
	below, err := l.below(ctx)
	if err != nil {
		return err
	}
	if err := fit(ctx, w, &l.result, below); err != nil {
		return err
	}
	w.Meta.DiffID = l.set.diffIDs[l.index]
	w.Meta.Size, w.Meta.Entries = l.result.Bytes, l.result.Entries
	w.Meta.Format = formatName(l.set.p.o.Apply.Format)
	if len(l.result.Implied) <= maxImplied {
		w.Meta.Implied = l.result.Implied
	}
	return w.Commit()
}

// maxImplied bounds what is noted in the meta file, for people to look at.
const maxImplied = 1000

// fit makes of a layer what it is on top of those below.
func fit(ctx context.Context, w *store.LayerWriter, result *layer.ApplyResult, below []*os.File) error {
	dir, err := w.Open()
	if err != nil {
		return err
	}
	defer dir.Close() // opened for reading
	if err := layer.DropNeedless(ctx, dir, result.Whiteouts, below); err != nil {
		return err
	}
	return layer.Inherit(ctx, dir, result.Implied, below)
}

// fill unpacks while the blob is fetched, or from the store.
func (l *oneLayer) fill(ctx context.Context, w *store.LayerWriter) error {
	use := func(blob io.Reader) error { return l.apply(ctx, w, blob) }
	later := false
	streamed, err := l.fetched(ctx, func(blob io.Reader) error {
		l.streams = true
		err := use(blob)
		l.streams = false
		if later = errors.Is(err, errLower); later {
			_, err = io.Copy(io.Discard, blob)
		}
		return err
	})
	if err != nil || streamed && !later {
		return err
	}
	if later {
		if _, err := l.below(ctx); err != nil {
			return err
		}
	}
	return l.fromStore(use)
}

// errLower is why a layer is not unpacked while it is fetched: it needs those below,
// which are not there yet. Who waited for them would hold the lock of its blob
// meanwhile; two pulls of images that have two layers in different order would each
// wait for the blob that the other holds.
var errLower = errors.New("the layers below are not there yet")

// hasBelow tells whether the layers below are complete.
func (l *oneLayer) hasBelow() bool {
	if l.index == 0 {
		return true
	}
	select {
	case <-l.set.layers[l.index-1].settled:
		return true
	default:
		return false
	}
}

// fromStore unpacks a blob that is there. Its own digest was verified when it came;
// the diff id covers what is read now.
func (l *oneLayer) fromStore(use func(io.Reader) error) error {
	f, err := l.set.p.o.Store.Blob(l.d)
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading
	return use(f)
}

// apply unpacks one stream, in a place among the unpackers.
func (l *oneLayer) apply(ctx context.Context, w *store.LayerWriter, blob io.Reader) error {
	unpacks := l.set.p.unpacks
	if err := unpacks.take(ctx, l.d.Size); err != nil {
		return err
	}
	defer unpacks.give()
	l.unpacking.Store(true)
	if !l.fetching.Load() {
		l.task.Phase("unpacking")
	}
	dir, err := emptied(w)
	if err != nil {
		return err
	}
	defer dir.Close() // opened for reading
	o := l.set.p.o.Apply
	if o.Limits.Bytes == 0 {
		o.Limits.Bytes = mostBytes(l.d.Size)
	}
	o.Lower = func(ctx context.Context) ([]*os.File, error) {
		if l.streams && !l.hasBelow() {
			return nil, errLower
		}
		// It waits for others, who may need the place.
		unpacks.give()
		below, err := l.below(ctx)
		if taken := unpacks.take(context.WithoutCancel(ctx), l.d.Size); err == nil {
			err = taken
		}
		return below, err
	}
	// What needs much memory is unpacked in the order of the layers, one at a time.
	turn := func() error {
		_, err := o.Lower(ctx)
		if err == nil {
			err = reuse()
		}
		return err
	}
	diffID, err := unpackStream(ctx, l.d.MediaType, blob, turn, func(archive io.Reader) error {
		var err error
		l.result, err = layer.Apply(ctx, dir, archive, o)
		return err
	})
	if err != nil {
		return fmt.Errorf("layer %s: %w", l.d.Digest, err)
	}
	if want := l.set.diffIDs[l.index]; diffID != want {
		return contentError{fmt.Errorf("layer %s: its archive has the digest %s, the configuration of the image says %s", l.d.Digest, diffID, want)}
	}
	return nil
}

// mostBytes is how much a layer may become: a hundred times what is fetched is more
// than any layer of files needs, and a small one may be all zeros, which deflate
// packs a thousandfold.
func mostBytes(packed int64) int64 {
	return min(layer.DefaultLimits.Bytes, max(32<<30, 100*packed))
}

// emptied opens the directory to be filled; an attempt before may have filled it.
func emptied(w *store.LayerWriter) (*os.File, error) {
	dir, err := w.Open()
	if err != nil {
		return nil, err
	}
	if err := layer.Empty(dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

func formatName(f layer.Format) string {
	if f == layer.OverlayUser {
		return "overlay-user"
	}
	return "overlay"
}

// HostApply is how layers are unpacked by this process: as root of the host in
// overlay's format, as root of a user namespace in that of rootless overlay.
func HostApply() layer.ApplyOptions {
	if idmap.Inside() {
		return layer.ApplyOptions{Format: layer.OverlayUser, UserNS: true}
	}
	return layer.ApplyOptions{}
}
