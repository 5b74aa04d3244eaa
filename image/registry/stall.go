package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// errSilent says that a server kept a connection open and did nothing on it.
var errSilent = errors.New("the server is silent")

// watch ends a request when nothing moves for a while. It runs from the request to
// the headers of the answer, and then only while a read waits: a slow reader on our
// side is no fault of the server.
type watch struct {
	silence time.Duration
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
}

// newWatch returns the watch, started, and the context that it ends.
func newWatch(ctx context.Context, silence time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{silence: silence, cancel: cancel}
	w.timer = time.AfterFunc(silence, func() {
		cancel(fmt.Errorf("%w for %s", errSilent, silence))
	})
	return ctx, w
}

// alive starts the time anew.
func (w *watch) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(w.silence)
}

// rest stops the time until the next alive.
func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

// end frees the watch and the request.
func (w *watch) end() {
	w.rest()
	w.cancel(context.Canceled)
}

// watchedBody is the body of an answer.
type watchedBody struct {
	io.ReadCloser
	ctx context.Context
	w   *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.w.alive()
	n, err := b.ReadCloser.Read(p)
	b.w.rest()
	if err != nil && err != io.EOF && b.ctx.Err() != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	b.w.end()
	return err
}

// watchedUpload is the body of a request: every part that the transport takes
// shows that the server still reads.
type watchedUpload struct {
	io.ReadCloser
	w *watch
}

func (b *watchedUpload) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.w.alive()
	return n, err
}
