package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The files that are locked: by gc alone and by all others together, and in front of
// that the gate at which gc stops newcomers.
const (
	useLock  = "lock"
	gateLock = "lock.gate"
)

// flock takes a lock on an open file: how is LOCK_SH or LOCK_EX. It polls, because
// a blocking flock(2) cannot be cancelled; wait is called once when the lock is not
// free, and ends the attempt with its error.
func flock(ctx context.Context, f *os.File, how int, wait func() error) error {
	const shortest, longest = 2 * time.Millisecond, 100 * time.Millisecond
	for pause := shortest; ; pause = min(2*pause, longest) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if wait != nil {
			if err := wait(); err != nil {
				return err
			}
			wait = nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

var errMoved = errors.New("the file is another one now")

// lockMade locks what is being made under a name of place, by its open file or
// directory; another process that makes the same is waited for. errMoved: that one has
// committed or removed it, and the name means something else or nothing.
func (s *Store) lockMade(ctx context.Context, place *dir, name string, f *os.File, what string) error {
	err := flock(ctx, f, unix.LOCK_EX, func() error {
		s.waiting("another berth process to " + what)
		return nil
	})
	if err == nil && !place.isStill(name, f) {
		err = errMoved
	}
	return err
}

// isStill tells whether name still means the open file f.
func (d *dir) isStill(name string, f *os.File) bool {
	named, err := d.stat(name)
	if err != nil {
		return false
	}
	var open unix.Stat_t
	return unix.Fstat(int(f.Fd()), &open) == nil && open.Dev == named.Dev && open.Ino == named.Ino
}

// lockFile opens a file of the store to be locked, and locks it.
func (s *Store) lockFile(ctx context.Context, name string, how int, wait func() error) (*os.File, error) {
	f, err := s.root.open(name, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f, how, wait); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Use keeps gc away until release is called: whoever adds content, or relies on
// content that no name and no container holds, does so between the two. Uses do
// not exclude each other. It waits while gc runs, and a while when gc waits.
func (s *Store) Use(ctx context.Context) (release func(), err error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	gate, err := s.pass(ctx)
	if err != nil {
		return nil, fmt.Errorf("use store: %w", err)
	}
	defer gate.Close() // nothing was written
	f, err := s.lockFile(ctx, useLock, unix.LOCK_SH, func() error {
		s.waiting("another berth process to finish cleaning the store")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("use store: %w", err)
	}
	s.count(+1)
	released := false
	return func() {
		if released {
			return
		}
		released = true
		s.count(-1)
		_ = f.Close() // it ends the lock; nothing was written
	}, nil
}

// pass goes through the gate that gc may hold. Who is inside already does not wait
// there: gc waits for him.
func (s *Store) pass(ctx context.Context) (*os.File, error) {
	s.mu.Lock()
	inside := s.uses > 0
	s.mu.Unlock()
	if inside {
		return nil, nil //nolint:nilnil // a nil *os.File can be closed
	}
	return s.lockFile(ctx, gateLock, unix.LOCK_SH, func() error {
		s.waiting("another berth process that cleans the store")
		return nil
	})
}

func (s *Store) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses += n
}

// alone keeps everybody else away: for gc.
func (s *Store) alone(ctx context.Context, noWait bool) (release func(), err error) {
	s.mu.Lock()
	own := s.uses
	s.mu.Unlock()
	if own > 0 {
		return nil, errors.New("gc: this process uses the store itself")
	}
	f, err := s.lockFile(ctx, useLock, unix.LOCK_EX, func() error { return ErrBusy })
	if errors.Is(err, ErrBusy) && !noWait {
		f, err = s.queue(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("gc: %w", err)
	}
	return func() { _ = f.Close() }, nil // it ends the lock; nothing was written
}
