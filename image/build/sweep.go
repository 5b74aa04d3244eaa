package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Sweeper is a Runner that can end what a build has left running that was killed.
type Sweeper interface {
	// Sweep ends the container of a bundle, if there is one. The bundle is gone.
	Sweep(ctx context.Context, bundle string) error
}

// lockName is the file of a build's directory that is locked while the build lives.
const lockName = "lock"

// hold makes the lock of a build's directory. It has its name only once it is locked,
// so that a file of that name without a lock is a dead build's.
func hold(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "new-lock"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, lockName)); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// sweep ends what builds have left that were killed, and removes their directories.
// Their mounts have gone with their namespaces.
func (o *Options) sweep(ctx context.Context) {
	dirs, err := filepath.Glob(filepath.Join(o.Store.Dir(), "tmp", "build-*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if err := o.sweepOne(ctx, dir); err != nil && o.Warn != nil {
			o.Warn(fmt.Sprintf("remove what a killed build has left: %v", err))
		}
	}
}

func (o *Options) sweepOne(ctx context.Context, dir string) error {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return nil // about to be locked, or about to go
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // it lives
	}
	if s, ok := o.Runner.(Sweeper); ok {
		steps, err := filepath.Glob(filepath.Join(dir, "step-*"))
		if err != nil {
			return err
		}
		for _, step := range steps {
			if err := s.Sweep(ctx, bundleOf(step)); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(dir)
}
