package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// addLayer mounts an overlay over the root directory, whose upper layer takes all
// that the container writes: a tmpfs that goes with the mount namespace, or a
// directory that the parent removes. bindSelf then finds the overlay in its place.
//
// overlayfs takes paths only. They lead through fds below a verified procfs, so no
// character in a path can be taken for an option, and nothing is looked up twice.
func (r *Root) addLayer() error {
	lower, err := linux.Openat(linux.AT_FDCWD, r.plan.Path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return linux.Wrap("open rootfs", err)
	}
	defer closeFD(lower)
	base, err := r.openLayer(lower)
	if err != nil {
		return err
	}
	defer closeFD(base)
	if err := r.makeLayerDirs(base, lower); err != nil {
		return err
	}
	data := "lowerdir=" + safepath.FDPath(lower) + ",upperdir=" + safepath.FDPath(base) + "/upper,workdir=" + safepath.FDPath(base) + "/work"
	if r.opts.UserNS {
		// In a user namespace trusted.* attributes cannot be written (since v5.11).
		data += ",userxattr"
	}
	err = r.mountAt("overlay", lower, "overlay", 0, data)
	if err == syscall.ENODEV {
		return linux.Wrap("the kernel has no file system type \"overlay\"", err)
	}
	return linux.Wrap("mount overlay", err)
}

// openLayer returns the directory for the layer. What has to be mounted first goes
// on the rootfs, where the overlay will cover both.
func (r *Root) openLayer(lower int) (int, error) {
	const flags = linux.O_PATH | syscall.O_DIRECTORY | syscall.O_NOFOLLOW
	l := r.plan.Layer
	var err error
	switch {
	case l.FD >= 0:
		err = linux.Wrap("move mount", linux.MoveMount(l.FD, lower))
	case l.Path != "":
		fd, err := linux.Openat(linux.AT_FDCWD, l.Path, flags, 0)
		return fd, linux.Wrap("open "+l.Path, err)
	default:
		err = linux.Wrap("mount tmpfs", r.mountAt("tmpfs", lower, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=700"))
	}
	if err != nil {
		return -1, err
	}
	fd, err := linux.Openat(linux.AT_FDCWD, r.plan.Path, flags, 0)
	return fd, linux.Wrap("open what was mounted on the rootfs", err)
}

// makeLayerDirs makes the directories of the upper layer. Its root shows as the
// container's "/", so it looks like the rootfs.
func (r *Root) makeLayerDirs(base, lower int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(lower, &st); err != nil {
		return linux.Wrap("stat rootfs", err)
	}
	if err := syscall.Mkdirat(base, "work", 0o700); err != nil {
		return linux.Wrap("make work directory", err)
	}
	if err := syscall.Mkdirat(base, "upper", st.Mode&0o7777); err != nil {
		return linux.Wrap("make upper directory", err)
	}
	err := syscall.Fchownat(base, "upper", int(st.Uid), int(st.Gid), linux.AtSymlinkNofollow)
	if r.opts.UserNS {
		err = nil // an owner without a mapping cannot be given
	}
	return linux.Wrap("chown upper directory", err)
}
