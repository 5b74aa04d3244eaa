package state

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Remove deletes the directory with all that is in it, and its name last. Gone
// already is fine. The caller holds the lock, and closes the Dir.
func (d *Dir) Remove() error {
	err := emptyDir(d.fd)
	if errors.Is(err, unix.ENOENT) {
		return nil // a removed directory cannot be listed
	}
	if err != nil {
		return fmt.Errorf("empty %s: %w", d.Path, err)
	}
	err = unix.Unlinkat(d.rootFD, d.ID, unix.AT_REMOVEDIR)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", d.Path, err)
	}
	return nil
}

// emptyDir removes what a directory holds: our own files, and what a hook or an
// admin may have put there.
func emptyDir(fd int) error {
	names, err := readNames(fd, 1<<10)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := unix.Unlinkat(fd, name, 0)
		if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
			err = removeTree(fd, name)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func removeTree(dirfd int, name string) error {
	fd, err := openDir(dirfd, name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	err = emptyDir(fd)
	closeFD(fd)
	if err != nil {
		return err
	}
	return unix.Unlinkat(dirfd, name, unix.AT_REMOVEDIR)
}
