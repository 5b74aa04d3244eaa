package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// makeNode makes a device or a FIFO. Whether a container may open a device is for
// the device rules of its cgroup.
func (a *applier) makeNode(e *entry) error {
	kind := uint32(unix.S_IFIFO)
	switch e.Typeflag {
	case tar.TypeChar:
		kind = unix.S_IFCHR
	case tar.TypeBlock:
		kind = unix.S_IFBLK
	}
	dev := 0
	if kind != unix.S_IFIFO {
		// Twelve and twenty bits: what mknod(2) encodes without loss.
		if e.Devmajor < 0 || e.Devmajor >= 1<<12 || e.Devminor < 0 || e.Devminor >= 1<<20 {
			return &safepath.Refusal{Object: quote(e.Name), Reason: fmt.Sprintf("there is no device %d:%d", e.Devmajor, e.Devminor)}
		}
		if kind == unix.S_IFCHR && e.Devmajor == 0 && e.Devminor == 0 && a.opts.Format != Flat {
			return &safepath.Refusal{Object: quote(e.Name), Reason: "a character device 0:0 is overlayfs's whiteout"}
		}
		if a.opts.UserNS {
			a.skip(e.path)
			return nil
		}
		dev = int(unix.Mkdev(uint32(e.Devmajor), uint32(e.Devminor)))
	}
	dir, err := a.vacate(e)
	if err != nil {
		return err
	}
	return a.makeSpecial(e, dir, kind, func() error {
		return unix.Mknodat(dir.fd, e.base, kind|e.mode&0o777, dev)
	})
}

// skip notes an entry that is left out; a few are enough to tell the user.
func (a *applier) skip(path string) {
	if len(a.result.Skipped) < 100 {
		a.result.Skipped = append(a.result.Skipped, path)
	}
}

// setTimesAt sets the times of what an O_PATH fd names.
func setTimesAt(fd int, t times) error {
	err := unix.UtimesNanoAt(fd, "", t.both(), unix.AT_EMPTY_PATH)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOENT) {
		// Before v5.8 utimensat(2) knows no empty path. The link of procfs leads to
		// the object itself, also when that is a symlink.
		err = unix.UtimesNanoAt(unix.AT_FDCWD, procFD(fd), t.both(), 0)
	}
	if err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
