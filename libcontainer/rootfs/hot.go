package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// OpenSources opens the sources of bind mounts that the parent has not opened, as
// detached clones: the calling thread is about to enter another mount namespace.
func OpenSources(mounts []wire.Mount, userNS bool) error {
	r := &Root{opts: Options{UserNS: userNS}}
	for i := range mounts {
		m := &mounts[i]
		if !m.Bind || m.Remount || m.FD >= 0 {
			continue
		}
		fd, err := openSource(m)
		if err != nil {
			return mountError(m, r.explainBind(m, linux.Wrap("open source", err)))
		}
		// The clone of a shared mount is its peer: what the container mounts below it
		// would appear on the host.
		if err := r.setPropagation(fd, syscall.MS_SLAVE|syscall.MS_REC); err != nil {
			return mountError(m, linux.Wrap("set mount propagation of the source", err))
		}
		m.FD = fd
	}
	return nil
}

// Add makes the mounts in the mount namespace of the calling thread, whose "/" is
// the container's. When one cannot be made, those before it are taken away again.
func Add(plan *wire.Rootfs, o Options, warn func(string)) error {
	// Without the mount API there is no safe way to name a target in a container
	// whose /proc is its own affair.
	if !linux.HaveMountAPI() {
		return linux.Wrap("mounts of a running container need Linux 5.12", syscall.ENOSYS)
	}
	slash, err := openSlash()
	if err != nil {
		return err
	}
	r := &Root{fd: slash, plan: plan, opts: o, warn: warn, null: -1, empty: -1}
	defer r.Close()
	defer syscall.Umask(syscall.Umask(0))
	for i := range plan.Mounts {
		m := &plan.Mounts[i]
		err := r.mount(m)
		for _, fd := range r.late {
			if e := r.makeReadonly(fd); err == nil {
				err = e
			}
			closeFD(fd)
		}
		r.late = nil
		if err == nil {
			continue
		}
		r.undo(plan.Mounts[:i])
		return mountError(m, err)
	}
	return nil
}

// undo unmounts what was mounted, last first; the error that made it necessary is
// the one to report.
func (r *Root) undo(mounts []wire.Mount) {
	for i := len(mounts) - 1; i >= 0; i-- {
		m := &mounts[i]
		if m.Remount || onlyPropagation(m) {
			continue
		}
		if err := Unmount(m.Destination); err != nil {
			r.warn("mount on " + m.Destination + " stays: " + err.Error())
		}
	}
}

// Unmount takes away the mount that path leads to, below the "/" of the calling
// thread. Processes that use it keep what they have open.
func Unmount(path string) error {
	path = cleanPath(path)
	if path == "/" {
		return &safepath.Refusal{Object: path, Reason: "the container's root cannot be unmounted"}
	}
	slash, err := openSlash()
	if err != nil {
		return err
	}
	defer closeFD(slash)
	fd, err := safepath.OpenInRoot(slash, path, linux.O_PATH)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	name := "."
	if !isDir(fd) {
		// One cannot stand in a file. Its name is looked up once more, in a directory
		// that is held: at worst another mount of the container's own goes.
		var dir string
		dir, name = splitLast(path)
		parent, err := safepath.OpenInRoot(slash, dir, linux.O_PATH|syscall.O_DIRECTORY)
		if err != nil {
			return err
		}
		defer closeFD(parent)
		fd = parent
	}
	if err := syscall.Fchdir(fd); err != nil {
		return err
	}
	err = syscall.Unmount(name, syscall.MNT_DETACH|linux.UmountNofollow)
	if e := syscall.Fchdir(slash); err == nil {
		err = e
	}
	if err == syscall.EINVAL {
		return linux.Wrap("it is no mount point, or one that the container may not lose", err)
	}
	return err
}

func openSlash() (int, error) {
	fd, err := linux.Openat(linux.AT_FDCWD, "/", linux.O_PATH|syscall.O_DIRECTORY, 0)
	return fd, linux.Wrap("open /", err)
}
