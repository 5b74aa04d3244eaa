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

// merged shows directories in overlayfs format, topmost first, as one tree that
// cannot be written to. It is attached nowhere: closing it unmounts it. The caller
// may mount.
func merged(dirs []string) (*os.File, error) {
	// overlayfs wants two directories when none can be written to.
	empty, err := os.MkdirTemp("", "berth-empty-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(empty) //nolint:errcheck // an empty directory in the place for such
	fs, err := linux.Fsopen("overlay")
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	defer func() { _ = unix.Close(fs) }() // a context, not a file
	for _, dir := range append(dirs[:len(dirs):len(dirs)], empty) {
		if err := addLower(fs, dir); err != nil {
			return nil, fmt.Errorf("overlay: lower directory %s: %w", dir, err)
		}
	}
	if layer.InUserNamespace() {
		err = linux.FsconfigFlag(fs, "userxattr")
	}
	if err == nil {
		err = linux.FsconfigCreate(fs)
	}
	if err != nil {
		return nil, fmt.Errorf("mount overlay of %d layers: %w", len(dirs), err)
	}
	fd, err := linux.Fsmount(fs, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("mount overlay of %d layers: %w", len(dirs), err)
	}
	// Not O_PATH: it is to be listed.
	root, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd))
	return root, errors.Join(err, unix.Close(fd))
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
