package rootfs

import (
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// mountSysfs mounts a sysfs. The kernel makes none for a user namespace that does not
// own the network namespace, as with the host's network. A read-only one then becomes
// the host's, read-only with all that is mounted below it, as engines know it of crun;
// a writable one is refused, as it would be the host's.
func (r *Root) mountSysfs(m *wire.Mount) error {
	fresh := r.mountFresh(m)
	attrs := effectiveAttrs(m)
	if errno(fresh) != syscall.EPERM || !r.opts.UserNS || r.legacy || attrs&linux.MountAttrRdonly == 0 {
		return fresh
	}
	b := *m
	b.Bind, b.Recursive, b.Source = true, true, "/sys"
	b.AttrSet, b.AttrClr, b.RecAttrClr = 0, 0, 0
	b.RecAttrSet = attrs & (linux.MountAttrRdonly | linux.MountAttrNosuid | linux.MountAttrNodev | linux.MountAttrNoexec)
	if err := r.mountBind(&b); err != nil {
		return fresh
	}
	r.hideCgroups(cleanPath(m.Destination) + "/fs/cgroup")
	return nil
}

// hideCgroups masks the host's cgroup tree at path, which a sysfs of the container's
// own would not have, unless another mount goes there.
func (r *Root) hideCgroups(path string) {
	for i := range r.plan.Mounts {
		if cleanPath(r.plan.Mounts[i].Destination) == path {
			return
		}
	}
	r.plan.MaskedPaths = append(r.plan.MaskedPaths, path)
}
