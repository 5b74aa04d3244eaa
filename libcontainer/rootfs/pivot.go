package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// Enter makes the prepared tree the root of the process, lets go of the host's,
// and changes to "/".
func (r *Root) Enter() error {
	enter := r.pivot
	if r.plan.NoPivot {
		enter = r.moveRoot
	}
	if err := enter(); err != nil {
		return err
	}
	return linux.Wrap("change directory to /", syscall.Chdir("/"))
}

// pivot stacks the old root on the new one, so that no directory for it is needed,
// and unmounts it (pivot_root(2), "pivot_root(".", ".")"). Nothing of the unmount
// reaches the host: isolate made the whole old tree a slave at least.
func (r *Root) pivot() error {
	if err := syscall.Fchdir(r.fd); err != nil {
		return linux.Wrap("change directory to the rootfs", err)
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return linux.Wrap("pivot_root", err)
	}
	return linux.Wrap("unmount old root", syscall.Unmount(".", syscall.MNT_DETACH))
}

// moveRoot is for a host that runs from an initramfs, whose root cannot be
// pivoted: the tree is moved over "/". The host's mounts stay in the namespace,
// covered, so its procfs and sysfs go first: with one of them at hand the
// container could mount a complete one in a user namespace of its own.
func (r *Root) moveRoot() error {
	if err := r.dropKernelFS(); err != nil {
		return err
	}
	if err := r.moveOver(); err != nil {
		return linux.Wrap("move rootfs to /", err)
	}
	if err := syscall.Fchdir(r.fd); err != nil {
		return linux.Wrap("change directory to the rootfs", err)
	}
	return linux.Wrap("chroot to the rootfs", syscall.Chroot("."))
}

func (r *Root) moveOver() error {
	slash, err := linux.Openat(linux.AT_FDCWD, "/", linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer closeFD(slash)
	if r.legacy {
		return r.mountAt(safepath.FDPath(r.fd), slash, "", syscall.MS_MOVE, "")
	}
	return linux.MoveMount(r.fd, slash)
}

// EnterChroot makes the directory path the root of a process that shares its
// mount namespace with the host, and changes to it. A link is refused.
func EnterChroot(path string) error {
	fd, err := linux.Openat(linux.AT_FDCWD, path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err == syscall.ENOTDIR && isLink(path) {
		return &safepath.Refusal{Object: "rootfs " + path, Reason: "it is a symbolic link"}
	}
	if err != nil {
		return linux.Wrap("open rootfs "+path, err)
	}
	defer closeFD(fd)
	if err := syscall.Fchdir(fd); err != nil {
		return linux.Wrap("change directory to rootfs "+path, err)
	}
	if err := syscall.Chroot("."); err != nil {
		return linux.Wrap("chroot to rootfs "+path, err)
	}
	return linux.Wrap("change directory to /", syscall.Chdir("/"))
}
