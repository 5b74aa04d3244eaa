package rootfs

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
)

// addLayer mounts an overlay over the root directory, whose upper layer takes all
// that the container writes: a tmpfs that goes with the mount namespace, or a
// directory that the parent removes. bindSelf then finds the overlay in its place.
//
// overlayfs takes paths only. They lead through fds below a verified procfs, so no
// character in a path can be taken for an option, and nothing is looked up twice.
func (r *Root) addLayer() error {
	root, err := linux.Openat(linux.AT_FDCWD, r.plan.Path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return linux.Wrap("open rootfs", err)
	}
	defer closeFD(root)
	lowers := []int{root}
	switch l := r.plan.Layer; {
	case len(l.LowerFDs) > 0:
		lowers = l.LowerFDs
	case len(l.Lowers) > 0:
		if lowers, err = openLowers(l.Lowers); err != nil {
			return err
		}
		defer closeAll(lowers)
	}
	base, err := r.openLayer(root)
	if err != nil {
		return err
	}
	defer closeFD(base)
	// The topmost layer has the say over the root directory: those below had it before.
	if err := r.makeLayerDirs(base, lowers[0]); err != nil {
		return err
	}
	err = r.mountOverlay(root, lowers, base)
	switch {
	case err == syscall.ENODEV:
		return linux.Wrap("the kernel has no file system type \"overlay\"", err)
	case len(lowers) > linux.MaxOverlay:
		return linux.Wrap("mount overlay of "+strconv.Itoa(len(lowers))+" layers, of which the kernel takes "+strconv.Itoa(linux.MaxOverlay), err)
	}
	return linux.Wrap("mount overlay", err)
}

// openLowers opens the layers of an image, which are below the host's root or in a
// place that the caller of a rootless berth owns.
func openLowers(paths []string) ([]int, error) {
	list := make([]int, 0, len(paths))
	for _, path := range paths {
		fd, err := linux.Openat(linux.AT_FDCWD, path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			closeAll(list)
			return nil, linux.Wrap("open layer "+path, err)
		}
		list = append(list, fd)
	}
	return list, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		closeFD(fd)
	}
}

// mountOverlay mounts on the directory target.
func (r *Root) mountOverlay(target int, lowers []int, base int) error {
	var others []string
	if r.opts.UserNS || r.plan.Layer.UserXattr {
		// In a user namespace trusted.* attributes cannot be written (since v5.11).
		others = []string{"userxattr"}
	}
	dir := strconv.Itoa(base)
	data := linux.OverlayOptions(lowers, dir+"/upper", dir+"/work", others...)
	return r.inFDs(func() error {
		return syscall.Mount("overlay", strconv.Itoa(target), "overlay", 0, data)
	})
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

// makeLayerDirs makes the directories of the upper layer, or takes those that are
// there. Its root shows as the container's "/", so it looks like that of lower.
func (r *Root) makeLayerDirs(base, lower int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(lower, &st); err != nil {
		return linux.Wrap("stat rootfs", err)
	}
	for _, name := range []string{"work", "upper"} {
		if err := syscall.Mkdirat(base, name, 0o700); err != nil && err != syscall.EEXIST {
			return linux.Wrap("make "+name+" directory", err)
		}
	}
	if err := syscall.Fchownat(base, "upper", int(st.Uid), int(st.Gid), linux.AtSymlinkNofollow); err != nil && !r.opts.UserNS {
		return linux.Wrap("chown upper directory", err)
	} // in a user namespace an owner without a mapping cannot be given
	return linux.Wrap("chmod upper directory", syscall.Fchmodat(base, "upper", st.Mode&0o7777, 0))
}
