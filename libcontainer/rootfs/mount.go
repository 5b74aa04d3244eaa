package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// mount carries out one entry of mounts.
func (r *Root) mount(m *wire.Mount) error {
	switch {
	case m.Remount:
		return r.remount(m)
	case onlyPropagation(m):
		return r.changePropagation(m)
	case m.Bind || m.FD >= 0:
		return r.mountBind(m)
	case len(m.CgroupV1) > 0:
		return r.mountCgroups(m)
	case m.Type == "cgroup2":
		return r.mountCgroup2(m)
	case m.Type == "sysfs":
		return r.mountSysfs(m)
	}
	return r.mountFresh(m)
}

// onlyPropagation tells an entry like {"type":"none","options":["rshared"]}.
func onlyPropagation(m *wire.Mount) bool {
	return !m.Bind && m.FD < 0 && len(m.Propagation) > 0 && (m.Type == "" || m.Type == "none")
}

// attach puts the detached mount tree on target and applies what can only be
// applied there.
func (r *Root) attach(m *wire.Mount, tree, target int) error {
	if err := linux.MoveMount(tree, target); err != nil {
		return linux.Wrap("move mount", err)
	}
	if err := r.moved(m, tree); err != nil {
		return err
	}
	return r.propagate(tree, m.Propagation)
}

// moved takes note of a mount on the container's "/" itself.
func (r *Root) moved(m *wire.Mount, tree int) error {
	if cleanPath(m.Destination) != "/" {
		return nil
	}
	fd, err := linux.Fcntl(tree, syscall.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return linux.Wrap("duplicate the root's fd", err)
	}
	closeFD(r.fd)
	r.fd = fd
	return nil
}

// changePropagation sets the propagation of the mount that is already there.
func (r *Root) changePropagation(m *wire.Mount) error {
	fd, err := safepath.OpenInRoot(r.fd, m.Destination, linux.O_PATH)
	if err != nil {
		return linux.Wrap("open destination", err)
	}
	defer closeFD(fd)
	return r.propagate(fd, m.Propagation)
}

// propagate applies the MS_* propagation types in order to the mount at fd.
func (r *Root) propagate(fd int, types []uint64) error {
	for _, p := range types {
		if err := r.setPropagation(fd, p); err != nil {
			return linux.Wrap("set mount propagation", err)
		}
	}
	return nil
}

func (r *Root) setPropagation(fd int, p uint64) error {
	if r.legacy {
		return r.mountAt("", fd, "", uintptr(p), "")
	}
	flags := uint(0)
	if p&syscall.MS_REC != 0 {
		flags = linux.AtRecursive
	}
	const types = syscall.MS_SHARED | syscall.MS_SLAVE | syscall.MS_PRIVATE | syscall.MS_UNBINDABLE
	return linux.MountSetattr(fd, flags, &linux.MountAttr{Propagation: p & types})
}

// remount changes what is mounted at the destination: the flags of that one mount
// with "bind", else the options of the file system as well.
func (r *Root) remount(m *wire.Mount) error {
	fd, err := safepath.OpenInRoot(r.fd, m.Destination, linux.O_PATH)
	if err != nil {
		return linux.Wrap("open destination", err)
	}
	defer closeFD(fd)
	if m.Bind {
		err = r.setAttrs(fd, m)
	} else {
		flags := syscall.MS_REMOUNT | attrFlags(effectiveAttrs(m)) | uintptr(m.SuperFlags)
		err = linux.Wrap("remount", r.mountAt(m.Source, fd, m.Type, flags, m.Data))
	}
	if err != nil {
		return err
	}
	return r.propagate(fd, m.Propagation)
}
