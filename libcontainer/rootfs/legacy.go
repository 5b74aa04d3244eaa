package rootfs

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// The same mounts through mount(2), for kernels without mount_setattr(2) and for
// options that fsconfig(2) does not take. mount(2) knows paths only, so its
// target is the magic link of an fd on a procfs that was verified before anything
// of the container was mounted. A bind is writable for a moment, until it is
// remounted: at that time nothing of the container runs yet.

// procfs returns the host's procfs. The first call has to come before Enter.
func (r *Root) procfs() (*safepath.Proc, error) {
	if r.proc == nil {
		p, err := safepath.HostProc()
		if err != nil {
			return nil, err
		}
		r.proc = p
	}
	return r.proc, nil
}

// mountAt is mount(2) on the object that the fd target stands for. A relative
// source is taken from the procfs root: see safepath.FDPath.
func (r *Root) mountAt(source string, target int, fstype string, flags uintptr, data string) error {
	return r.inProc(func() error {
		return syscall.Mount(source, safepath.FDPath(target), fstype, flags, data)
	})
}

// inProc calls do with the root of procfs as working directory: see safepath.FDPath.
func (r *Root) inProc(do func() error) error {
	p, err := r.procfs()
	if err != nil {
		return err
	}
	return inDirectory(p.FD(), do)
}

// inFDs calls do where the descriptors are files, named by their numbers.
func (r *Root) inFDs(do func() error) error {
	p, err := r.procfs()
	if err != nil {
		return err
	}
	dir, err := p.OpenThreadSelf("fd", linux.O_PATH|syscall.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	return inDirectory(dir, do)
}

// inDirectory calls do with dir as working directory.
func inDirectory(dir int, do func() error) error {
	cwd, err := linux.Openat(linux.AT_FDCWD, ".", linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return linux.Wrap("open the working directory", err)
	}
	defer closeFD(cwd)
	if err := syscall.Fchdir(dir); err != nil {
		return linux.Wrap("change to /proc", err)
	}
	err = do()
	if e := syscall.Fchdir(cwd); e != nil && err == nil {
		err = linux.Wrap("change back to the working directory", e)
	}
	return err
}

// bindAt binds the object source stands for on target.
func (r *Root) bindAt(source, target int, rec uintptr) error {
	return r.mountAt(safepath.FDPath(source), target, "", syscall.MS_BIND|rec, "")
}

// remountAt changes the attributes of the mount at fd, keeping the others.
func (r *Root) remountAt(fd int, set, clr uint64) error {
	set, clr = normalAtime(set, clr)
	if set|clr == 0 {
		return nil
	}
	have, err := mountAttrs(fd)
	if err != nil {
		return linux.Wrap("read mount flags", err)
	}
	flags := attrFlags(have&^clr | set)
	err = r.mountAt("", fd, "", syscall.MS_REMOUNT|syscall.MS_BIND|flags, "")
	if names := lockedNames(fd, set, clr); err == syscall.EPERM && names != "" {
		return linux.Wrap("clear mount flags "+names+", which the source's mount has and its user namespace locks", err)
	}
	return linux.Wrap("remount", err)
}

func (r *Root) setAttrsLegacy(fd int, m *wire.Mount) error {
	if m.RecAttrSet|m.RecAttrClr != 0 {
		return errors.New("recursive mount options need mount_setattr, Linux 5.12")
	}
	return r.remountAt(fd, m.AttrSet, m.AttrClr)
}

// bindLegacy is mountBind.
func (r *Root) bindLegacy(m *wire.Mount) error {
	flags := linux.O_PATH
	if m.SrcNofollow {
		flags |= syscall.O_NOFOLLOW
	}
	src, err := linux.Openat(linux.AT_FDCWD, m.Source, flags, 0)
	if err != nil {
		return linux.Wrap("open source", err)
	}
	defer closeFD(src)
	if err := checkSource(m, src); err != nil {
		return err
	}
	t, err := r.openTarget(m, isDir(src))
	if err != nil {
		return err
	}
	defer closeFD(t.fd)
	rec := uintptr(0)
	if m.Recursive {
		rec = syscall.MS_REC
	}
	if err := r.bindAt(src, t.fd, rec); err != nil {
		return r.explainBind(m, linux.Wrap("bind", err))
	}
	mnt, err := r.openMounted(m)
	if err != nil {
		return err
	}
	defer closeFD(mnt)
	if err := sameObject(src, mnt); err != nil {
		return err
	}
	if err := r.setAttrs(mnt, m); err != nil {
		return err
	}
	if err := r.moved(m, mnt); err != nil {
		return err
	}
	return r.propagate(mnt, m.Propagation)
}

// openMounted opens what was just mounted at m's destination: the fd from before
// stands for what is covered now.
func (r *Root) openMounted(m *wire.Mount) (int, error) {
	flags := linux.O_PATH
	if m.DestNofollow {
		flags |= syscall.O_NOFOLLOW
	}
	var fd int
	var err error
	if cleanPath(m.Destination) == "/" {
		// r.fd is covered as well; the entry in the parent directory leads to the top.
		fd, err = linux.Openat(linux.AT_FDCWD, r.plan.Path, linux.O_PATH|syscall.O_NOFOLLOW, 0)
	} else {
		fd, err = safepath.OpenInRoot(r.fd, m.Destination, flags)
	}
	return fd, linux.Wrap("open mounted destination", err)
}

// sameObject makes sure that the mount which was reached by path is the bind.
func sameObject(a, b int) error {
	var x, y syscall.Stat_t
	if err := syscall.Fstat(a, &x); err != nil {
		return linux.Wrap("stat source", err)
	}
	if err := syscall.Fstat(b, &y); err != nil {
		return linux.Wrap("stat destination", err)
	}
	if x.Dev != y.Dev || x.Ino != y.Ino {
		return &safepath.Refusal{Object: "mount", Reason: "its destination was swapped while it was mounted"}
	}
	return nil
}

// freshLegacy is placeFresh.
func (r *Root) freshLegacy(m *wire.Mount, f *freshFS, dst int) (int, error) {
	data := f.data
	if f.label != "" {
		data = addOption(data, f.context()+"=\""+f.label+"\"")
	}
	from := -1
	if m.TmpCopyUp {
		var err error
		if from, err = linux.Openat(dst, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0); err != nil {
			return -1, linux.Wrap("open destination", err)
		}
		defer closeFD(from)
	}
	source := f.source
	if source == "" {
		source = "none"
	}
	if err := r.mountAt(source, dst, f.fstype, attrFlags(f.attrs)|uintptr(f.super), data); err != nil {
		return -1, linux.Wrap("mount "+f.fstype, err)
	}
	mnt, err := r.openMounted(m)
	if err != nil {
		return -1, err
	}
	if from >= 0 {
		err = r.copyUp(from, mnt)
	}
	if err == nil {
		err = r.moved(m, mnt)
	}
	if err == nil {
		err = r.propagate(mnt, m.Propagation)
	}
	if err != nil {
		closeFD(mnt)
		return -1, err
	}
	return mnt, nil
}
