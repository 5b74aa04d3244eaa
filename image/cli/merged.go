package cli

import (
	"errors"
	"fmt"
	"os"

	"berth/image/overlay"
	"berth/internal/idmap"

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
	o := overlay.Options{Point: empty}
	// The mount holds them by itself.
	defer func() {
		for _, f := range o.Layers {
			_ = f.Close() // a directory
		}
	}()
	for i := len(dirs); i >= 0; i-- {
		dir := empty
		if i < len(dirs) {
			dir = dirs[i]
		}
		f, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		o.Layers = append(o.Layers, f)
	}
	if idmap.Inside() {
		o.Settings = []string{"userxattr"}
	}
	mount, err := overlay.Mount(o)
	if err != nil {
		return nil, err
	}
	// It cannot be listed itself (O_PATH).
	fd, err := unix.Openat(int(mount.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open overlay: %w", err), mount.Close())
	}
	return &tree{os.NewFile(uintptr(fd), "overlay"), mount, empty}, nil
}
