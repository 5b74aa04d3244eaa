package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// Finish does, after Enter, what would be in the way of the steps before: late
// read-only mounts, the read-only root, read-only and masked paths, and the
// propagation of "/". That comes last, as an unbindable tree cannot be cloned any
// more, and binds would carry a shared one along.
func (r *Root) Finish() error {
	for _, fd := range r.late {
		if err := r.makeReadonly(fd); err != nil {
			return err
		}
	}
	if r.plan.Readonly {
		if err := r.makeReadonly(r.fd); err != nil {
			return linux.Wrap("read-only root", err)
		}
	}
	for _, path := range r.plan.ReadonlyPaths {
		if err := r.protect(path); err != nil {
			return linux.Wrap("read-only path "+path, err)
		}
	}
	for _, path := range r.plan.MaskedPaths {
		if err := r.mask(path); err != nil {
			return linux.Wrap("masked path "+path, err)
		}
	}
	if p := r.plan.FinalPropagation; p != 0 {
		return linux.Wrap("set propagation of the root", r.setPropagation(r.fd, p))
	}
	return nil
}

// makeReadonly adds the read-only flag to the mount at fd and keeps the others.
func (r *Root) makeReadonly(fd int) error {
	if r.legacy {
		return r.remountAt(fd, linux.MountAttrRdonly, 0)
	}
	return setAttr(fd, 0, linux.MountAttrRdonly, 0)
}

// protect binds path on itself, read-only. Mounts below keep their flags. A path
// that does not exist needs no protection.
func (r *Root) protect(path string) error {
	if cleanPath(path) == "/" {
		return r.makeReadonly(r.fd)
	}
	fd, err := r.openExisting(path)
	if fd < 0 {
		return err
	}
	defer closeFD(fd)
	if r.legacy {
		return r.protectLegacy(path, fd)
	}
	tree, err := linux.OpenTree(fd, "", linux.OpenTreeClone|linux.AtEmptyPath|linux.AtRecursive)
	if err != nil {
		return linux.Wrap("clone", err)
	}
	defer closeFD(tree)
	if err := setAttr(tree, 0, linux.MountAttrRdonly, 0); err != nil {
		return err
	}
	return linux.Wrap("move mount", linux.MoveMount(tree, fd))
}

func (r *Root) protectLegacy(path string, fd int) error {
	if err := r.bindAt(fd, fd, syscall.MS_REC); err != nil {
		return linux.Wrap("bind", err)
	}
	mnt, err := r.openExisting(path)
	if mnt < 0 {
		return err
	}
	defer closeFD(mnt)
	if err := sameObject(fd, mnt); err != nil {
		return err
	}
	return r.makeReadonly(mnt)
}

// openExisting opens path in the root; -1 and no error when there is none.
func (r *Root) openExisting(path string) (int, error) {
	fd, err := safepath.OpenInRoot(r.fd, path, linux.O_PATH)
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		return -1, nil
	}
	return fd, linux.Wrap("open", err)
}
