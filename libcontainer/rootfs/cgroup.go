package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// cgroup2Mountpoint is where a host has its cgroup v2 tree.
const cgroup2Mountpoint = "/sys/fs/cgroup"

// mountCgroups builds the /sys/fs/cgroup of a v1 or hybrid host: a small tmpfs
// with a directory per hierarchy and a link per controller.
func (r *Root) mountCgroups(m *wire.Mount) error {
	base := *m
	base.CgroupV1, base.TmpCopyUp, base.Propagation = nil, false, nil
	t, err := r.openTarget(&base, true)
	if err != nil {
		return err
	}
	defer closeFD(t.fd)
	attrs := effectiveAttrs(m)
	f := freshFS{
		fstype: "tmpfs", source: "tmpfs", data: "mode=755", label: r.label(m), labelKey: r.plan.MountContext,
		attrs: attrs &^ linux.MountAttrRdonly,
	}
	dir, err := r.placeFresh(&base, &f, t.fd)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	for i := range m.CgroupV1 {
		h := &m.CgroupV1[i]
		if err := r.mountHierarchy(dir, h, attrs); err != nil {
			return linux.Wrap("cgroup hierarchy "+h.Name, err)
		}
	}
	if attrs&linux.MountAttrRdonly != 0 {
		if err := r.makeReadonly(dir); err != nil {
			return err
		}
	}
	return r.propagate(dir, m.Propagation)
}

// mountHierarchy mounts one v1 hierarchy, or the unified one of a hybrid host,
// below dir.
func (r *Root) mountHierarchy(dir int, h *wire.CgroupHierarchy, attrs uint64) error {
	fd, err := safepath.MkdirAll(dir, h.Name, 0o755)
	if err != nil {
		return linux.Wrap("make directory", err)
	}
	defer closeFD(fd)
	m := wire.Mount{Destination: h.Name, FD: -1}
	if h.Source != "" {
		if h.Readonly {
			attrs |= linux.MountAttrRdonly
		}
		m.Source, m.AttrSet, m.FD = h.Source, attrs, h.FD
		err = r.bindOn(&m, fd, dir)
	} else {
		f := freshFS{fstype: "cgroup", source: "cgroup", data: h.Options, attrs: attrs}
		if h.Options == "cgroup2" {
			f.fstype, f.source, f.data = "cgroup2", "cgroup2", ""
		}
		err = r.freshOn(&f, fd)
	}
	if err != nil {
		return err
	}
	for _, link := range h.Links {
		if link == h.Name {
			continue
		}
		if err := linux.Symlinkat(h.Name, dir, link); err != nil && err != syscall.EEXIST {
			return linux.Wrap("link "+link, err)
		}
	}
	return nil
}

// bindOn binds m.Source on the directory fd, which is m.Destination below dir.
func (r *Root) bindOn(m *wire.Mount, fd, dir int) error {
	if !r.legacy {
		tree := m.FD
		if tree <= 0 {
			var err error
			if tree, err = openSource(m); err != nil {
				return linux.Wrap("open "+m.Source, err)
			}
			defer closeFD(tree)
		}
		if err := r.setAttrs(tree, m); err != nil {
			return err
		}
		return linux.Wrap("move mount", linux.MoveMount(tree, fd))
	}
	src, err := linux.Openat(linux.AT_FDCWD, m.Source, linux.O_PATH, 0)
	if err != nil {
		return linux.Wrap("open "+m.Source, err)
	}
	defer closeFD(src)
	if err := r.bindAt(src, fd, 0); err != nil {
		return linux.Wrap("bind "+m.Source, err)
	}
	mnt, err := safepath.OpenInRoot(dir, m.Destination, linux.O_PATH)
	if err != nil {
		return linux.Wrap("open "+m.Destination, err)
	}
	defer closeFD(mnt)
	return r.setAttrs(mnt, m)
}

// freshOn makes f and mounts it on the directory fd.
func (r *Root) freshOn(f *freshFS, fd int) error {
	if r.legacy || needsMount2(f) {
		return linux.Wrap("mount "+f.fstype, r.mountAt(f.source, fd, f.fstype, attrFlags(f.attrs), f.data))
	}
	mnt, err := f.make()
	if err != nil {
		return err
	}
	defer closeFD(mnt)
	return linux.Wrap("move mount", linux.MoveMount(mnt, fd))
}

// mountCgroup2 mounts the cgroup v2 tree. Where the kernel refuses a new mount,
// as in a user namespace that does not own the cgroup namespace, it binds the part
// of the tree that the cgroup namespace would show.
func (r *Root) mountCgroup2(m *wire.Mount) error {
	fresh := r.mountFresh(m)
	if e := errno(fresh); e != syscall.EPERM && e != syscall.EBUSY {
		return fresh
	}
	b := *m
	b.Bind, b.AttrSet, b.AttrClr, b.RecAttrSet, b.RecAttrClr = true, effectiveAttrs(m), 0, 0, 0
	b.Source = m.CgroupV2
	if b.Source == "" || !r.opts.CgroupNS {
		// The paths in /proc/self/cgroup start at the host's root: its whole tree, but
		// never writable (CVE-2023-25809).
		b.Source = cgroup2Mountpoint
		b.AttrSet |= linux.MountAttrRdonly
		if !r.legacy {
			b.Recursive, b.RecAttrSet = true, linux.MountAttrRdonly
		}
	}
	err := r.mountBind(&b)
	if errno(err) == syscall.ENOENT && r.opts.UserNS {
		r.warn("no cgroup tree can be mounted on " + m.Destination + ": it is covered by an empty one")
		return r.coverCgroup2(m)
	}
	return err
}

// coverCgroup2 hides the host's cgroup tree that a bind of /sys carried along.
func (r *Root) coverCgroup2(m *wire.Mount) error {
	t, err := r.openTarget(m, true)
	if err != nil {
		return err
	}
	defer closeFD(t.fd)
	f := emptyFS(r.label(m))
	return r.freshOn(&f, t.fd)
}
