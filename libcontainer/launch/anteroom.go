package launch

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// FromAnteroom tells whether the container's mount namespace may be a copy of one in
// which the paths of the host do not resolve: all that the init stage opens there has
// to be known before, and nobody else may expect the host's mounts.
func (o *Options) FromAnteroom() bool {
	p := o.Plan
	if !p.MountNS || p.UserNS || p.Rootfs.NoPivot || o.Target != nil {
		return false
	}
	// createContainer hooks are paths in the runtime's mount namespace (OCI runtime spec,
	// config.md, POSIX-platform hooks). Those of the host may enter the container's before
	// pivot_root and look for the rootfs there by its path, as NVIDIA's does.
	if p.HostHooks || len(p.CreateContainerHooks) > 0 {
		return false
	}
	fresh := false
	for _, ns := range o.Namespaces {
		fresh = fresh || ns.Type == unix.CLONE_NEWNS && ns.Path == ""
	}
	if !fresh || p.Rootfs.Propagation != 0 && p.Rootfs.Propagation&unix.MS_REC == 0 {
		return false
	}
	for i := range p.Rootfs.Devices {
		if !strings.HasPrefix(p.Rootfs.Devices[i].Path, "/dev/") {
			return false
		}
	}
	for i := range p.Rootfs.Mounts {
		if !needsNoHost(&p.Rootfs.Mounts[i]) {
			return false
		}
	}
	return true
}

// needsNoHost tells whether a mount leads to the host by nothing but a source that can
// be opened before.
func needsNoHost(m *wire.Mount) bool {
	switch {
	case m.CopySymlink:
		return false
	case m.Bind, m.FD >= 0, m.Remount, len(m.CgroupV1) > 0:
		return true
	}
	switch m.Type {
	case "", "none", "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup2", "ramfs", "hugetlbfs",
		"securityfs", "debugfs", "tracefs", "bpf", "configfs", "fusectl", "binfmt_misc", "efivarfs":
		return true
	}
	return false // its source or an option may be a path
}

// hostTrees are clones of what the init stage would otherwise open by a host's path.
type hostTrees struct {
	o *Options
	// root is where the root directory lies.
	root string
	fds  []int
}

// openHost opens the root file system, the sources of binds and the layers, and writes
// the fds into the plan, which the caller closes; after an error the plan is as before.
func (o *Options) openHost() ([]int, error) {
	h := &hostTrees{o: o}
	r := &o.Plan.Rootfs
	err := h.openRoot(r)
	for i := 0; i < len(r.Mounts) && err == nil; i++ {
		err = h.openMount(&r.Mounts[i])
	}
	if err == nil && r.Layer != nil {
		err = h.openLayer(r.Layer)
	}
	if err != nil {
		h.forget(r)
	}
	return h.fds, err
}

func (h *hostTrees) clone(dirfd int, path string, flags uint) (int, error) {
	fd, err := h.o.cloneTree(dirfd, path, flags)
	if err == nil {
		h.fds = append(h.fds, fd)
	}
	return fd, err
}

// openRoot clones the root directory with the mounts below it. A link is refused.
func (h *hostTrees) openRoot(r *wire.Rootfs) (err error) {
	dir, err := unix.Open(r.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if h.root, err = pathOf(dir); err != nil {
		return err
	}
	fd, err := h.clone(dir, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err == nil {
		r.FD = fd
	}
	return err
}

func (h *hostTrees) openMount(m *wire.Mount) error {
	if m.Bind && !m.Remount && m.FD < 0 {
		if err := h.checkSource(m); err != nil {
			return err
		}
		fd, err := h.o.cloneSource(m)
		if err != nil {
			return err
		}
		m.FD = fd
		h.fds = append(h.fds, fd)
	}
	for i := range m.CgroupV1 {
		c := &m.CgroupV1[i]
		if c.Source == "" {
			continue
		}
		fd, err := h.clone(unix.AT_FDCWD, c.Source, 0)
		if err != nil {
			return err
		}
		c.FD = fd
	}
	return nil
}

var errNotBefore = errors.New("the source means something else once the container's mounts stand")

// checkSource refuses what has to be opened by the init stage itself: a source that
// shows the container's own mounts, or the process that asks.
func (h *hostTrees) checkSource(m *wire.Mount) error {
	flags := unix.O_PATH | unix.O_CLOEXEC
	if m.SrcNofollow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Open(m.Source, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	path, err := pathOf(fd)
	switch {
	case err != nil:
		return err
	case path[0] != '/', strings.HasPrefix(path, "/proc/"), strings.HasPrefix(m.Source, "/proc/"),
		inside(path, h.root), m.Recursive && inside(h.root, path):
		return errNotBefore
	}
	return nil
}

func (h *hostTrees) openLayer(l *wire.Layer) error {
	if l.Path != "" {
		fd, err := h.clone(unix.AT_FDCWD, l.Path, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			return err
		}
		l.FD = fd
	}
	for _, path := range l.Lowers {
		fd, err := h.clone(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			return err
		}
		l.LowerFDs = append(l.LowerFDs, fd)
	}
	return nil
}

// forget takes the fds out of the plan.
func (h *hostTrees) forget(r *wire.Rootfs) {
	r.FD = 0
	if r.Layer != nil {
		r.Layer.FD, r.Layer.LowerFDs = -1, nil
	}
	for i := range r.Mounts {
		m := &r.Mounts[i]
		if slices.Contains(h.fds, m.FD) {
			m.FD = -1
		}
		for j := range m.CgroupV1 {
			m.CgroupV1[j].FD = 0
		}
	}
}

// pathOf returns where the file open at fd lies.
func pathOf(fd int) (string, error) { return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)) }

// inside tells whether path is dir or below it; both are clean.
func inside(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
