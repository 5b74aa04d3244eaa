package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// The directories of cache mounts (RUN --mount=type=cache) are the builder's own: what
// is in them is no content of images. Each has a file "lock", which a step holds
// locked as long as it uses the directory, and whose mtime tells when that began.
const (
	mountsName = "mounts"
	mountLock  = "lock"
)

// MountsDir is where the builder keeps a directory for each cache mount, as a path.
func (s *Store) MountsDir() string { return s.root.join(mountsName) }

// dropMounts removes the directories of cache mounts that no step uses.
func (c *collector) dropMounts(*marks) error {
	if !c.o.Cache {
		return nil
	}
	mounts, err := c.s.root.sub(mountsName)
	if notExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer mounts.f.Close() // opened for reading
	names, err := mounts.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.dropMount(mounts, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) dropMount(mounts *dir, name string) error {
	free, used, err := lockMount(mounts, name)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // a file or link, which is not the builder's
	}
	if err != nil {
		return err
	}
	if free == nil {
		return nil
	}
	defer free.Close() // it ends the lock; nothing was written
	if time.Since(used) < c.o.CacheAge {
		return nil
	}
	size, err := treeSize(mounts.join(name))
	if err != nil {
		return err
	}
	c.report.Mounts++
	c.report.MountBytes += size
	if c.o.DryRun {
		return nil
	}
	// As a whole: a step would take a part for the cache.
	return c.s.discard(mounts, name)
}

// lockMount takes the lock of a directory; no file when a step has it. A directory
// without a lock was left by a killed step before it was of use.
func lockMount(mounts *dir, name string) (_ *os.File, used time.Time, err error) {
	d, err := mounts.sub(name)
	if err != nil {
		return nil, used, err
	}
	defer d.f.Close() // opened for reading
	f, err := d.open(mountLock, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, used, err
	}
	st, err := f.Stat()
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	switch {
	case err == nil:
		return f, st.ModTime(), nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, used, f.Close()
	}
	return nil, used, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
}

// treeSize is the sum of the sizes of all files below a directory.
func treeSize(path string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		st, err := e.Info()
		if err == nil {
			sum += st.Size()
		}
		return err
	})
	return sum, err
}
