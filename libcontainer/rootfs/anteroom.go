package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// An anteroom is a mount namespace that holds what the init stage opens by its path
// on the host, and next to nothing else: a copy of it costs the same on every host
// (docs/nsenter.md, a host with many mounts). These are the directories of its root.
const (
	anteroomProc   = "proc"
	anteroomDev    = "dev"
	anteroomRootfs = "rootfs" // where the root file system is attached
	anteroomLayers = "layers" // where layers are attached, one over the other
)

// MakeAnteroom turns the calling thread's mount namespace, a new copy of the host's,
// into an anteroom. Nothing in it is shared with the host: what the host mounts later
// does not arrive.
func MakeAnteroom() error {
	if err := isolate(syscall.MS_PRIVATE | syscall.MS_REC); err != nil {
		return err
	}
	// Before the procfs is covered: the host's are cloned as they show.
	proc, err := linux.OpenTree(linux.AT_FDCWD, "/proc", linux.OpenTreeClone)
	if err != nil {
		return linux.Wrap("clone /proc", err)
	}
	defer closeFD(proc)
	dev, err := linux.OpenTree(linux.AT_FDCWD, "/dev", linux.OpenTreeClone|linux.AtRecursive)
	if err != nil {
		return linux.Wrap("clone /dev", err)
	}
	defer closeFD(dev)
	f := freshFS{
		fstype: "tmpfs", source: "anteroom", data: "mode=755,nr_blocks=1,nr_inodes=8",
		attrs: linux.MountAttrNosuid | linux.MountAttrNodev | linux.MountAttrNoexec,
	}
	root, err := f.make()
	if err != nil {
		return err
	}
	defer closeFD(root)
	if err := furnish(root, proc, dev); err != nil {
		return err
	}
	if err := syscall.Fchdir(root); err != nil {
		return linux.Wrap("change directory to the tmpfs", err)
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return linux.Wrap("pivot_root", err)
	}
	return linux.Wrap("unmount old root", syscall.Unmount(".", syscall.MNT_DETACH))
}

// furnish attaches the new root, over any directory, and fills it.
func furnish(root, proc, dev int) error {
	point, err := linux.Openat(linux.AT_FDCWD, "/proc", linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linux.Wrap("open /proc", err)
	}
	defer closeFD(point)
	if err := linux.MoveMount(root, point); err != nil {
		return linux.Wrap("move mount", err)
	}
	for _, d := range [...]struct {
		name string
		tree int
	}{{anteroomProc, proc}, {anteroomDev, dev}, {anteroomRootfs, -1}, {anteroomLayers, -1}} {
		if err := furnishOne(root, d.name, d.tree); err != nil {
			return linux.Wrap(d.name, err)
		}
	}
	return setAttr(root, 0, linux.MountAttrRdonly, 0)
}

func furnishOne(root int, name string, tree int) error {
	if err := syscall.Mkdirat(root, name, 0o755); err != nil {
		return linux.Wrap("make directory", err)
	}
	if tree < 0 {
		return nil
	}
	dir, err := linux.Openat(root, name, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	return linux.Wrap("move mount", linux.MoveMount(tree, dir))
}

// enterFrom attaches what the parent has opened of the host to a copy of an anteroom,
// and gives the root file system the path that leads to it there.
func enterFrom(r *wire.Rootfs) error {
	if err := attachAt("/"+anteroomRootfs, r.FD); err != nil {
		return linux.Wrap("attach rootfs "+r.Path, err)
	}
	r.Path = "/" + anteroomRootfs
	if r.Layer == nil {
		return nil
	}
	return linux.Wrap("attach layers", attachAt("/"+anteroomLayers, r.Layer.LowerFDs...))
}

// attachAt moves detached mounts to the directory path, each over the one before.
// Attached they can be reached by their fds alone.
func attachAt(path string, trees ...int) error {
	dir, err := linux.Openat(linux.AT_FDCWD, path, linux.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return linux.Wrap("open "+path, err)
	}
	defer closeFD(dir)
	for _, tree := range trees {
		if err := linux.MoveMount(tree, dir); err != nil {
			return linux.Wrap("move mount", err)
		}
	}
	return nil
}
