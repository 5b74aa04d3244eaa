package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"berth/image"
	"berth/image/layer"
	"berth/image/store"
)

const (
	// fetchBlock is how much is read from a source at once, in bytes.
	fetchBlock = 256 << 10
	// rangedBlob is the size from which a blob is fetched in parallel ranges: a
	// single connection over a long way carries less than the line.
	rangedBlob = 64 << 20
	// rangeSize is one range. The unpacking follows close behind, so ranges are
	// short and taken in order.
	rangeSize = 16 << 20
	// ranges is how many ranges of a blob are fetched at once.
	ranges = 3
)

var blocks sync.Pool

func takeBlock() *[]byte {
	if b, ok := blocks.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, fetchBlock)
	return &b
}

// fetchOnly makes sure of the blob alone.
func (l *oneLayer) fetchOnly(ctx context.Context) error {
	streamed, err := l.fetched(ctx, func(blob io.Reader) error {
		_, err := io.Copy(io.Discard, blob)
		return err
	})
	if err == nil && !streamed {
		l.task.Done("exists")
	}
	return err
}

// fetched makes sure of the blob, and hands it to use while it comes; streamed: it had
// to come.
func (l *oneLayer) fetched(ctx context.Context, use func(io.Reader) error) (streamed bool, err error) {
	if l.first != l {
		return false, wait(ctx, l.first.blob)
	}
	for {
		in, err := l.ingest(ctx)
		if errors.Is(err, store.ErrExists) {
			close(l.blob)
			l.task.Add(l.d.Size)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		resumed := in.Have() > 0
		err = l.follow(ctx, in, use)
		var wrong *digestError
		if !resumed || !errors.As(err, &wrong) {
			return true, err
		}
		// It went on with a partial blob of another pull: after a crash of the
		// machine that file can hold anything.
		l.task.Reset(0, l.d.Size)
	}
}

// ingest begins to fetch the blob; ErrExists when the store has it.
func (l *oneLayer) ingest(ctx context.Context) (*store.Ingest, error) {
	if l.set.p.o.Source == nil && !l.set.p.o.Store.Has(l.d.Digest) {
		return nil, fmt.Errorf("layer %s: %w", l.d.Digest, store.ErrNotFound)
	}
	in, err := l.set.p.o.Store.Ingest(ctx, l.d)
	if err == nil {
		l.set.p.changed.Store(true)
	}
	return in, err
}

// fetchError is an error of the transfer; it names the blob, and what read from it
// need not say it again.
type fetchError struct {
	d   image.Descriptor
	err error
}

func (e *fetchError) Error() string { return "fetch " + e.d.Digest.String() + ": " + e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

// digestError says that the content of a blob is not what its digest says.
type digestError struct{ want, got fmt.Stringer }

func (e *digestError) Error() string {
	return fmt.Sprintf("blob %s: its content has the digest %s", e.want, e.got)
}

// follow fetches the blob and hands it to use while it comes. use reads to the end,
// or fails. When the digest is right the blob is committed; the Ingest is closed in
// any case.
func (l *oneLayer) follow(ctx context.Context, in *store.Ingest, use func(io.Reader) error) error {
	l.task.Add(in.Have())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	fetched := l.startFetch(ctx, in)
	blob := newHashing(in.Reader(), l.d.Digest.Algorithm())
	err := l.cause(use(blob), blob)
	if err != nil {
		in.Fail(err)
		cancel(err)
	}
	<-fetched
	var wrong *digestError
	switch {
	case errors.As(err, &wrong):
		return errors.Join(err, in.Discard())
	case err != nil:
		return errors.Join(err, in.Close())
	}
	if err := in.Commit(blob.digest()); err != nil {
		return err
	}
	close(l.blob)
	return nil
}

// startFetch fetches on a goroutine of its own, until the channel is closed.
func (l *oneLayer) startFetch(ctx context.Context, in *store.Ingest) (fetched <-chan struct{}) {
	l.fetching.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.fetch(ctx, in); err != nil {
			in.Fail(err)
			return
		}
		l.fetching.Store(false)
		if l.unpacking.Load() {
			l.task.Phase("unpacking")
		}
	}()
	return ended
}

// cause is the error that counts when err is what the use of a blob has ended with:
// what is wrong with the content may be wrong with the transfer. Then the digest
// tells, and more than a broken archive would.
func (l *oneLayer) cause(err error, blob *hashing) error {
	var limit *layer.LimitError
	if err == nil || errors.Is(err, errContent) && !errors.As(err, &limit) {
		_, drained := io.Copy(io.Discard, blob)
		if got := blob.digest(); drained == nil && got != l.d.Digest {
			return &digestError{l.d.Digest, got}
		}
	}
	var transfer *fetchError
	if errors.As(err, &transfer) {
		return transfer
	}
	return err
}

// fetch writes what is missing of the blob into in.
func (l *oneLayer) fetch(ctx context.Context, in *store.Ingest) error {
	if in.Have() == l.d.Size {
		return nil
	}
	if err := l.set.p.fetches.take(ctx, l.d.Size); err != nil {
		return err
	}
	defer l.set.p.fetches.give()
	l.task.Phase("downloading")
	if l.d.Size-in.Have() >= rangedBlob {
		err := l.fetchRanges(ctx, in)
		if !errors.Is(err, image.ErrNoRange) {
			return err
		}
	}
	p := l.set.p
	from := in.Have()
	r, err := p.o.Source.Blob(ctx, p.o.Ref, l.d, from)
	if errors.Is(err, image.ErrNoRange) && from > 0 {
		// From the beginning; what is there stays as it is.
		from = 0
		r, err = p.o.Source.Blob(ctx, p.o.Ref, l.d, 0)
	}
	if err != nil {
		return err
	}
	return l.write(in, r, from, l.d.Size)
}

// write copies a stream to its place from offset from up to offset to, and closes it.
func (l *oneLayer) write(in *store.Ingest, r io.ReadCloser, from, to int64) error {
	defer r.Close() // opened for reading
	block := takeBlock()
	defer blocks.Put(block)
	for {
		n, err := r.Read(*block)
		if n > 0 {
			if int64(n) > to-from {
				return &fetchError{l.d, fmt.Errorf("the source sends more than the %d bytes that were announced", l.d.Size)}
			}
			if _, err := in.WriteAt((*block)[:n], from); err != nil {
				return err
			}
			from += int64(n)
			l.task.Add(int64(n))
			l.set.p.fetched.Add(int64(n))
		}
		if err == io.EOF && from < to {
			return &fetchError{l.d, fmt.Errorf("the source ends after %d of %d bytes", from, l.d.Size)}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &fetchError{l.d, err}
		}
	}
}

// fetchRanges fetches a large blob over several connections. ErrNoRange when the
// source has no ranges; then nothing was written.
func (l *oneLayer) fetchRanges(ctx context.Context, in *store.Ingest) error {
	p := l.set.p
	from := in.Have()
	// The first range tells whether there are any.
	first, err := p.o.Source.BlobRange(ctx, p.o.Ref, l.d, from, min(rangeSize, l.d.Size-from))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(from)
	take := func() (start, end int64) {
		end = next.Add(rangeSize)
		return end - rangeSize, min(end, l.d.Size)
	}
	var running sync.WaitGroup
	for range ranges {
		start, end := take()
		r := first
		first = nil
		running.Go(func() {
			for ; start < end; start, end = take() {
				var err error
				if r == nil {
					r, err = p.o.Source.BlobRange(ctx, p.o.Ref, l.d, start, end-start)
				}
				if err == nil {
					err = l.write(in, r, start, end)
				}
				if err != nil {
					if errors.Is(err, image.ErrNoRange) {
						err = &fetchError{l.d, errors.New("the source has ranges now and then only")}
					}
					cancel(err)
					return
				}
				r = nil
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
