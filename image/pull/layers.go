package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"berth/image"
	"berth/image/layer"
	"berth/image/progress"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxRunning is how many layers are begun at once; each holds a few descriptors.
const maxRunning = 64

// layerSet brings the layers of one image into the store.
type layerSet struct {
	p        *puller
	manifest *ocispec.Manifest
	diffIDs  []digest.Digest // nil: they are not unpacked
	chain    []digest.Digest

	layers []*oneLayer
	cancel context.CancelCauseFunc
}

// oneLayer is a layer on its way. What it is the first to have with its digest, it
// fetches; others wait for the blob.
type oneLayer struct {
	set   *layerSet
	index int
	d     image.Descriptor
	first *oneLayer // with the same digest; itself when it is the first
	task  *progress.Task

	blob    chan struct{}     // closed when the blob is in the store
	settled chan struct{}     // closed when it is unpacked, too, and those below it
	dir     *os.File          // once settled: the unpacked layer
	result  layer.ApplyResult // once it is unpacked here
	// streams: it is unpacked while it is fetched.
	streams bool

	// fetching and unpacking tell what it does; who looks on is told of the first.
	fetching, unpacking atomic.Bool
}

// run brings all layers in and unpacks them. It returns when nothing of it runs any
// more.
func (s *layerSet) run(ctx context.Context) error {
	ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	firsts := map[digest.Digest]*oneLayer{}
	for i, d := range s.manifest.Layers {
		l := &oneLayer{set: s, index: i, d: d, blob: make(chan struct{}), settled: make(chan struct{})}
		if l.first = firsts[d.Digest]; l.first == nil {
			l.first, firsts[d.Digest] = l, l
		} else if l.first.d.Size != d.Size {
			return fmt.Errorf("layer %s: the manifest gives it two sizes, %d and %d", d.Digest, l.first.d.Size, d.Size)
		}
		s.layers = append(s.layers, l)
	}
	defer s.closeDirs()
	s.start(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, l := range s.layers {
		s.p.result.Skipped = append(s.p.result.Skipped, l.result.Skipped...)
	}
	return nil
}

// start runs the layers side by side. Few are begun with the largest, whose work
// takes longest; many from the lowest on, so that what one waits for has begun.
func (s *layerSet) start(ctx context.Context) {
	order := slices.Clone(s.layers)
	if len(order) <= maxRunning {
		slices.SortStableFunc(order, func(a, b *oneLayer) int { return cmp.Compare(b.d.Size, a.d.Size) })
	}
	places := make(chan struct{}, maxRunning)
	var running sync.WaitGroup
	// Who looks on sees them in the image's own order.
	for _, l := range s.layers {
		l.task = s.p.o.Progress.Task(l.d.Digest.String(), l.d.Digest.Encoded()[:12], l.d.Size)
	}
	for _, l := range order {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			err := l.bring(ctx)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				l.task.Done("stopped") // another has failed, and says why
			default:
				s.cancel(err)
				l.task.Fail(err)
			}
		})
	}
	running.Wait()
}

func (s *layerSet) closeDirs() {
	for _, l := range s.layers {
		if l.dir != nil {
			_ = l.dir.Close() // opened for reading
		}
	}
}

// below waits for the layers below and returns their directories, topmost first.
func (l *oneLayer) below(ctx context.Context) ([]*os.File, error) {
	if l.index == 0 {
		return nil, nil
	}
	if err := wait(ctx, l.set.layers[l.index-1].settled); err != nil {
		return nil, err
	}
	dirs := make([]*os.File, 0, l.index)
	for i := l.index - 1; i >= 0; i-- {
		dirs = append(dirs, l.set.layers[i].dir)
	}
	return dirs, nil
}

// bring makes one layer complete.
func (l *oneLayer) bring(ctx context.Context) error {
	if l.set.chain == nil {
		if err := l.fetchOnly(ctx); err != nil {
			return err
		}
		l.task.Done("")
		return nil
	}
	w, err := l.set.p.o.Store.NewLayer(ctx, l.set.chain[l.index])
	switch {
	case errors.Is(err, store.ErrExists):
		err = l.fetchOnly(ctx)
	case err == nil:
		l.set.p.changed.Store(true)
		err = l.unpack(ctx, w)
	}
	if err != nil {
		return err
	}
	return l.settle(ctx)
}

// settle lets the layers above go on.
func (l *oneLayer) settle(ctx context.Context) error {
	if _, err := l.below(ctx); err != nil {
		return err
	}
	dir, ok := l.set.p.o.Store.Layer(l.set.chain[l.index])
	if !ok {
		return fmt.Errorf("layer %s: it was removed while the image was pulled", l.set.chain[l.index])
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	l.dir = f
	close(l.settled)
	l.task.Done("")
	return nil
}

// wait waits until a channel is closed.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
