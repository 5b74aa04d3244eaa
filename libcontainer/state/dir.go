package state

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the directory of one container. What is in it is reached through its
// file descriptor: nobody can put another directory in its place.
type Dir struct {
	ID string
	// Path is where the directory lies, for messages.
	Path string

	fd, rootFD int
	unsynced   bool
}

// FD is the directory's file descriptor, close-on-exec; the Dir owns it.
func (d *Dir) FD() int { return d.fd }

// Close unlocks the directory and gives its file descriptors back.
func (d *Dir) Close() error {
	d.fd, d.rootFD = closeFD(d.fd), closeFD(d.rootFD)
	return nil
}

// Lock waits for the directory's lock. Verbs that change a container hold it;
// state, list, ps and kill do without. The kernel releases it when the holder
// dies. ErrNotExist when the container was deleted meanwhile.
func (d *Dir) Lock() error {
	for {
		err := unix.Flock(d.fd, unix.LOCK_EX)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return d.lockedNow(err)
	}
}

// Unlock lets others lock the directory, which stays open.
func (d *Dir) Unlock() error {
	if err := unix.Flock(d.fd, unix.LOCK_UN); err != nil {
		return fmt.Errorf("unlock %s: %w", d.Path, err)
	}
	return nil
}

// LockFor is Lock with a bound; ErrBusy when it passes.
func (d *Dir) LockFor(bound time.Duration) error {
	deadline := time.Now().Add(bound)
	for {
		err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return d.lockedNow(err)
		}
		if !time.Now().Before(deadline) {
			return ErrBusy
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lockedNow looks whether the directory still has its name: one that was removed
// while the lock was waited for has no links left.
func (d *Dir) lockedNow(err error) error {
	if err != nil {
		return fmt.Errorf("lock %s: %w", d.Path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", d.Path, err)
	}
	if st.Nlink == 0 {
		return ErrNotExist
	}
	return nil
}
