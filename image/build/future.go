package build

import (
	"context"
	"errors"

	"berth/image/build/plan"
)

// future is a stage that runs or has run.
type future struct {
	done  chan struct{}
	state *state
	err   error
}

// start runs a stage in a goroutine of its own, once.
func (b *builder) start(ctx context.Context, cancel context.CancelCauseFunc, s *plan.Stage) *future {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f, ok := b.stages[s]; ok {
		return f
	}
	f := &future{done: make(chan struct{})}
	b.stages[s] = f
	b.background.Go(func() {
		defer close(f.done)
		f.state, f.err = b.runStage(ctx, cancel, s)
		if f.err != nil && !errors.Is(f.err, context.Canceled) {
			cancel(f.err)
		}
	})
	return f
}

// stage waits for the end of a stage, which it starts if nobody has.
func (b *builder) stage(ctx context.Context, cancel context.CancelCauseFunc, s *plan.Stage) (*state, error) {
	f := b.start(ctx, cancel, s)
	select {
	case <-f.done:
		return f.state, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
