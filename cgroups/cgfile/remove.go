package cgfile

import (
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// RemoveAll removes the cgroups at the given absolute paths, with all below them.
// One that is gone already is fine; a busy one is tried again for about two
// seconds, since a killed process leaves its cgroup a moment later.
func RemoveAll(paths []string) error {
	end := time.Now().Add(removeBound)
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 50*time.Millisecond) {
		var errs []error
		busy := paths[:0:0]
		for _, p := range paths {
			err := remove(p)
			if errors.Is(err, unix.EBUSY) {
				busy = append(busy, p)
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(busy) == 0 || len(busy) < len(errs) || time.Now().After(end) {
			return errors.Join(errs...)
		}
		paths = busy
		time.Sleep(wait)
	}
}

// RemoveUnified removes a v2 cgroup with all below it, as RemoveAll does, but is
// told when the last process has left instead of asking again and again.
func RemoveUnified(p string) error {
	end := time.Now().Add(removeBound)
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := remove(p)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
		if !awaitEmpty(p, time.Until(end)) {
			continue
		}
		// Nobody is in it, and yet it was busy: with one who is still on the way out.
		time.Sleep(wait)
	}
}

// awaitEmpty waits until a cgroup has no processes; an error is for remove to meet.
func awaitEmpty(p string, bound time.Duration) bool {
	d, err := Open(p)
	if err != nil {
		return false
	}
	defer d.Close()
	empty, err := d.Await("populated", 0, bound)
	return empty && err == nil
}

// remove removes one cgroup with all below it.
func remove(p string) error {
	parent, err := Open(path.Dir(p))
	if err != nil {
		if Gone(err) {
			return nil
		}
		return err
	}
	defer parent.Close()
	err = parent.Rmdir(path.Base(p))
	if errors.Is(err, unix.EBUSY) {
		err = parent.removeTree(path.Base(p))
	}
	if err == nil || Gone(err) {
		return nil
	}
	return err
}

// removeTree removes the children of name first; the error names the processes
// that are left.
func (d *Dir) removeTree(name string) error {
	c, err := d.Sub(name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.removeChildren(); err != nil {
		return err
	}
	err = d.Rmdir(name)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	pids, perr := c.AllPids()
	if perr != nil || len(pids) == 0 {
		return err
	}
	return fmt.Errorf("%w: processes %v are left in it", err, pids)
}
