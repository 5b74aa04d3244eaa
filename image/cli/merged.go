package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"berth/image/layer"
	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// tree is a directory to be read, and the mount that it is the root of.
type tree struct {
	*os.File
	mount *os.File // nil: none
	empty string   // a directory of the mount, to be removed
}

// Close ends the mount, too.
func (t *tree) Close() error {
	if t.mount == nil {
		return t.File.Close()
	}
	return errors.Join(t.File.Close(), t.mount.Close(), os.Remove(t.empty))
}

// merged shows directories in overlayfs format, topmost first, as one tree that
// cannot be written to. It is attached nowhere: closing it unmounts it. The caller
// may mount.
func merged(dirs []string) (_ *tree, err error) {
	// overlayfs wants two directories when none can be written to.
	empty, err := os.MkdirTemp("", "berth-empty-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(empty))
		}
	}()
	fd, err := mountMerged(append(dirs[:len(dirs):len(dirs)], empty))
	if err != nil {
		return nil, fmt.Errorf("mount overlay of %d layers: %w", len(dirs), err)
	}
	mount := os.NewFile(uintptr(fd), "overlay") // O_PATH: it cannot be listed
	root, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open overlay: %w", err), mount.Close())
	}
	return &tree{os.NewFile(uintptr(root), "overlay"), mount, empty}, nil
}

// mountMerged returns a mount that is attached nowhere.
func mountMerged(dirs []string) (int, error) {
	fs, err := linux.Fsopen("overlay")
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(fs) }() // a context, not a file
	for _, dir := range dirs {
		if err := addLower(fs, dir); err != nil {
			return -1, fmt.Errorf("lower directory %s: %w", dir, err)
		}
	}
	if layer.InUserNamespace() {
		if err := linux.FsconfigFlag(fs, "userxattr"); err != nil {
			return -1, fmt.Errorf("userxattr: %w", err)
		}
	}
	if err := linux.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return linux.Fsmount(fs, unix.MOUNT_ATTR_RDONLY)
}

// addLower hands a directory over by a descriptor: a path may hold colons.
func addLower(fs int, dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return linux.FsconfigString(fs, "lowerdir+", "/proc/self/fd/"+strconv.Itoa(int(f.Fd())))
}
