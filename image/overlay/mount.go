package overlay

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
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
	// one of the layers.
	Point string
}

// covering is held while a point is covered: no call finds the mount of another.
var covering sync.Mutex

// Mount returns the root of the mount, an O_PATH descriptor; closing it unmounts.
func Mount(o Options) (*os.File, error) {
	point, err := filepath.Abs(o.Point)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
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
	covering.Lock()
	defer covering.Unlock()
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

// userXattr is the option with which overlayfs keeps its marks in attributes of users,
// as it has to in a user namespace (since v5.11).
const userXattr = "userxattr"

// check refuses an upper directory that cannot be marked. The kernel does not: it gives
// EIO to the mkdir(2) that wants to hide what is below.
func (o *Options) check() error {
	if o.Upper == nil || !slices.Contains(o.Settings, userXattr) {
		return nil
	}
	const name = "user.overlay.berth"
	fd := int(o.Upper.Fd())
	err := unix.Fsetxattr(fd, name, []byte("y"), 0)
	if errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("overlay in %s: the file system has no attributes of users (tmpfs: since Linux 6.6): %w", o.Upper.Name(), err)
	}
	if err == nil {
		err = unix.Fremovexattr(fd, name)
	}
	if err != nil {
		return fmt.Errorf("attribute %s of %s: %w", name, o.Upper.Name(), err)
	}
	return nil
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
	case errors.Is(err, syscall.EPERM) && slices.Contains(o.Settings, userXattr):
		return fmt.Errorf("users can mount overlays since Linux 5.11: %w", err)
	}
	return err
}
