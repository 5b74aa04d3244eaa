package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// mask hides path: a directory behind an empty read-only tmpfs, anything else
// behind /dev/null. The kind is looked at first, as a mount that fails costs a
// wait for an RCU grace period.
func (r *Root) mask(path string) error {
	fd, err := r.openExisting(path)
	if fd < 0 {
		return err
	}
	defer closeFD(fd)
	if isDir(fd) {
		return r.maskDir(fd)
	}
	return r.maskFile(fd)
}

// emptyFS is a read-only file system with nothing in it and no room.
func emptyFS(label string) freshFS {
	return freshFS{
		fstype: "tmpfs", source: "tmpfs", data: "mode=755,nr_blocks=1,nr_inodes=1", label: label,
		attrs: linux.MountAttrRdonly | linux.MountAttrNosuid | linux.MountAttrNodev | linux.MountAttrNoexec,
		super: syscall.MS_RDONLY,
	}
}

// maskDir uses one tmpfs for all directories: a superblock each is slow to make
// and to reap. Only an attached mount can be cloned (before v6.15), hence the
// first directory gets the tmpfs itself.
func (r *Root) maskDir(fd int) error {
	f := emptyFS(r.plan.MountLabel)
	if r.legacy {
		return linux.Wrap("mount tmpfs", r.freshOn(&f, fd))
	}
	if r.empty < 0 {
		mnt, err := f.make()
		if err != nil {
			return err
		}
		if err := linux.MoveMount(mnt, fd); err != nil {
			closeFD(mnt)
			return linux.Wrap("move mount", err)
		}
		r.empty = mnt
		return nil
	}
	return cloneTo(r.empty, fd)
}

// maskFile binds the host's /dev/null, which was verified and cloned before any
// file of the container was looked at: the container's may be anything
// (CVE-2025-31133).
func (r *Root) maskFile(fd int) error {
	if r.legacy {
		return r.maskFileLegacy(fd)
	}
	if r.nullErr != nil {
		return r.nullErr
	}
	if !r.nullAttached {
		r.nullAttached = true
		return linux.Wrap("move mount", linux.MoveMount(r.null, fd))
	}
	return cloneTo(r.null, fd)
}

func cloneTo(mnt, fd int) error {
	tree, err := linux.OpenTree(mnt, "", linux.OpenTreeClone|linux.AtEmptyPath)
	if err != nil {
		return linux.Wrap("clone", err)
	}
	defer closeFD(tree)
	return linux.Wrap("move mount", linux.MoveMount(tree, fd))
}

// openNull clones the host's /dev/null. The clone is read-only, so that the
// container's root cannot change mode or owner of the host's node through a masked
// file; devices can be written nevertheless.
func (r *Root) openNull() {
	if r.legacy {
		return
	}
	fd, err := linux.OpenTree(linux.AT_FDCWD, "/dev/null", linux.OpenTreeClone|linux.AtSymlinkNofollow)
	if err == nil {
		err = verifyNull(fd)
		if err == nil {
			err = setAttr(fd, 0, linux.MountAttrRdonly|linux.MountAttrNosuid|linux.MountAttrNoexec, 0)
		}
		if err != nil {
			closeFD(fd)
		}
	}
	if err != nil {
		r.nullErr = linux.Wrap("open the host's /dev/null", err)
		return
	}
	r.null = fd
}

func verifyNull(fd int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFCHR || st.Rdev != 1<<8|3 {
		return &safepath.Refusal{Object: "/dev/null", Reason: "it is not the character device 1:3"}
	}
	return nil
}

// maskFileLegacy binds the container's /dev/null, if it is one: mount(2) cannot
// clone the host's once the old root is gone.
func (r *Root) maskFileLegacy(fd int) error {
	null, err := safepath.OpenInRoot(r.fd, "/dev/null", linux.O_PATH|syscall.O_NOFOLLOW)
	if err != nil {
		return linux.Wrap("open /dev/null", err)
	}
	defer closeFD(null)
	if err := verifyNull(null); err != nil {
		return err
	}
	return linux.Wrap("bind /dev/null", r.bindAt(null, fd, 0))
}
