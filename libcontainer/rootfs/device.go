package rootfs

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// makeDevices makes the nodes of the config. The umask is zero, so that they get
// exactly their mode.
func (r *Root) makeDevices() error {
	dir, dirPath := -1, ""
	defer func() {
		if dir >= 0 {
			closeFD(dir)
		}
	}()
	for i := range r.plan.Devices {
		d := &r.plan.Devices[i]
		parent, name := splitLast(cleanPath(d.Path))
		if parent != dirPath {
			fd, err := safepath.MkdirAll(r.fd, parent, 0o755)
			if err != nil {
				return linux.Wrap("make device "+d.Path, err)
			}
			if dir >= 0 {
				closeFD(dir)
			}
			dir, dirPath = fd, parent
		}
		if err := r.makeDevice(dir, name, d); err != nil {
			return linux.Wrap("make device "+d.Path, err)
		}
	}
	return nil
}

func (r *Root) makeDevice(dir int, name string, d *wire.Device) error {
	fifo := d.Mode&syscall.S_IFMT == syscall.S_IFIFO
	if r.plan.BindDevices && !fifo {
		if r.covered(d.Path) {
			return nil
		}
		return r.bindDevice(dir, name, d)
	}
	err := syscall.Mknodat(dir, name, d.Mode, int(rdev(d)))
	switch {
	case err == nil:
		return chownDevice(dir, name, d)
	case err == syscall.EEXIST:
		return r.keepDevice(dir, name, d)
	case err == syscall.EPERM && !fifo:
		// A user namespace, or the device cgroup of a container around this one.
		return r.bindDevice(dir, name, d)
	}
	return linux.Wrap("mknod", err)
}

// rdev is the device number as mknod(2) and stat(2) have it; 0 for a fifo.
func rdev(d *wire.Device) uint64 {
	if d.Mode&syscall.S_IFMT == syscall.S_IFIFO {
		return 0
	}
	return uint64(d.Minor&0xff | d.Major<<8 | (d.Minor&^0xff)<<12)
}

// isDevice tells whether st is the node d. A fifo has no number to compare.
func isDevice(st *syscall.Stat_t, d *wire.Device) bool {
	kind := d.Mode & syscall.S_IFMT
	return st.Mode&syscall.S_IFMT == kind && (kind == syscall.S_IFIFO || st.Rdev == rdev(d))
}

func describe(d *wire.Device) string {
	kind := "c"
	if d.Mode&syscall.S_IFMT == syscall.S_IFBLK {
		kind = "b"
	}
	return kind + " " + strconv.Itoa(int(d.Major)) + ":" + strconv.Itoa(int(d.Minor))
}

// chownDevice sets the owner on the very node that was made: the name may have
// been given to another object meanwhile.
func chownDevice(dir int, name string, d *wire.Device) error {
	if d.UID == 0 && d.GID == 0 {
		return nil
	}
	fd, err := linux.Openat(dir, name, linux.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if !isDevice(&st, d) {
		return &safepath.Refusal{Object: d.Path, Reason: "it was swapped while it was made"}
	}
	return linux.Wrap("chown", syscall.Fchownat(fd, "", int(d.UID), int(d.GID), linux.AtEmptyPath))
}

// keepDevice deals with an object that is there already. The same node is kept,
// and so is what the config itself mounted there; an ordinary file is covered by
// the host's node, which writes nothing to it; anything else, a link above all,
// is refused (CVE-2026-41579).
func (r *Root) keepDevice(dir int, name string, d *wire.Device) error {
	if r.covered(d.Path) {
		return nil
	}
	fd, err := linux.Openat(dir, name, linux.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if isDevice(&st, d) {
		return nil
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFREG && d.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return r.bindDevice(dir, name, d)
	}
	return &safepath.Refusal{Object: d.Path, Reason: "the rootfs has another file there"}
}

// covered tells whether the config mounts something on path.
func (r *Root) covered(path string) bool {
	path = cleanPath(path)
	for i := range r.plan.Mounts {
		if cleanPath(r.plan.Mounts[i].Destination) == path {
			return true
		}
	}
	return false
}

// bindDevice mounts the host's node of the same path on the name in dir.
func (r *Root) bindDevice(dir int, name string, d *wire.Device) error {
	var src int
	var err error
	if r.legacy {
		src, err = linux.Openat(linux.AT_FDCWD, d.Path, linux.O_PATH, 0)
	} else {
		src, err = linux.OpenTree(linux.AT_FDCWD, d.Path, linux.OpenTreeClone)
	}
	if err != nil {
		return linux.Wrap("open the host's node", err)
	}
	defer closeFD(src)
	var st syscall.Stat_t
	if err := syscall.Fstat(src, &st); err != nil {
		return err
	}
	if !isDevice(&st, d) {
		return &safepath.Refusal{Object: d.Path, Reason: "the host's node is not " + describe(d)}
	}
	dst, err := safepath.MkFileAt(dir, name, 0o666)
	if err != nil {
		return linux.Wrap("make mount point", err)
	}
	defer closeFD(dst)
	if r.legacy {
		return linux.Wrap("bind the host's node", r.bindAt(src, dst, 0))
	}
	if !r.opts.UserNS {
		// The container's root is the host's: it must not change mode or owner of the
		// host's node. Reading and writing a device is not affected.
		if err := setAttr(src, 0, linux.MountAttrRdonly, 0); err != nil {
			return err
		}
	}
	return linux.Wrap("bind the host's node", linux.MoveMount(src, dst))
}
