package overlay

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// Options of Mount.
type Options struct {
	// Layers are directories in overlayfs format, the lowest first. Without Upper there
	// have to be two.
	Layers []*os.File
	// Upper takes what is written, Work is an empty directory of the same file system.
	// nil: nothing can be written.
	Upper, Work *os.File
	// Settings are further options of overlayfs.
	Settings []string
	// Point is an existing directory over which the mount lies for a moment. It may be
	// one of the layers, but no other call's at the same time.
	Point string
}

// Mount returns the root of the mount, an O_PATH descriptor; closing it unmounts.
func Mount(o Options) (*os.File, error) {
	point, err := filepath.Abs(o.Point)
	if err != nil {
		return nil, err
	}
	fd := -1
	err = apart(func() (err error) {
		fd, err = mount(&o, point)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mount overlay of %d layers: %w", len(o.Layers), explain(&o, err))
	}
	return os.NewFile(uintptr(fd), "overlay"), nil
}

// mount changes the working directory of its thread.
func mount(o *Options, point string) (int, error) {
	if err := unix.Chdir("/proc/thread-self/fd"); err != nil {
		return -1, &os.PathError{Op: "chdir", Path: "/proc/thread-self/fd", Err: err}
	}
	if err := unix.Mount("overlay", point, "overlay", o.flags(), o.data()); err != nil {
		return -1, err
	}
	// Only an attached mount can be cloned (before v6.15); the clone is attached nowhere.
	fd, err := linux.OpenTree(unix.AT_FDCWD, point, linux.OpenTreeClone)
	if e := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); e != nil && err == nil {
		return -1, errors.Join(&os.PathError{Op: "unmount", Path: point, Err: e}, unix.Close(fd))
	}
	return fd, err
}

func (o *Options) flags() uintptr {
	if o.Upper == nil {
		return unix.MS_RDONLY
	}
	return 0
}

func (o *Options) data() string {
	lowers := make([]int, len(o.Layers))
	for i, f := range o.Layers {
		lowers[len(lowers)-1-i] = int(f.Fd())
	}
	upper, work := "", ""
	if o.Upper != nil {
		upper, work = strconv.Itoa(int(o.Upper.Fd())), strconv.Itoa(int(o.Work.Fd()))
	}
	return linux.OverlayOptions(lowers, upper, work, o.Settings...)
}

// explain says what errors mean of which mount(2) has nothing but a number.
func explain(o *Options, err error) error {
	switch {
	case len(o.Layers) > linux.MaxOverlay:
		return fmt.Errorf("the kernel stacks %d at most: %w", linux.MaxOverlay, err)
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("the kernel has no file system type \"overlay\": %w", err)
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("users can mount overlays since Linux 5.11: %w", err)
	}
	return err
}
