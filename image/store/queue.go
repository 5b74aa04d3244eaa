package store

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Newcomers are held back for this long at a time while gc waits.
const (
	shortestHold = 500 * time.Millisecond
	longestHold  = 8 * time.Second
)

// queue waits until gc is alone. Users who come one after another and overlap would
// keep it away for ever, so it holds newcomers back for a while; one who takes hours
// must not keep them away with it, so it lets them through for as long, in turns.
func (s *Store) queue(ctx context.Context) (*os.File, error) {
	s.waiting(s.holders() + " to finish with the store")
	for hold := shortestHold; ; hold = min(2*hold, longestHold) {
		f, err := s.hold(ctx, hold)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(hold):
		}
	}
}

// hold closes the gate and waits for those inside.
func (s *Store) hold(ctx context.Context, most time.Duration) (*os.File, error) {
	gate, err := s.lockFile(ctx, gateLock, unix.LOCK_EX, nil)
	if err != nil {
		return nil, err
	}
	defer gate.Close() // nothing was written
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return s.lockFile(ctx, useLock, unix.LOCK_EX, nil)
}
