package specconv

import (
	"path"
	"path/filepath"
	"syscall"
)

// rootfs converts root and everything about the root directory.
func (c *converter) rootfs() {
	r := &c.plan.Rootfs
	r.NoPivot = c.opts.NoPivot
	r.Propagation = syscall.MS_SLAVE | syscall.MS_REC
	c.propagation()
	r.MaskedPaths = c.absolutes("linux.maskedPaths", c.linux.MaskedPaths)
	r.ReadonlyPaths = c.absolutes("linux.readonlyPaths", c.linux.ReadonlyPaths)
	r.MountLabel = c.linux.MountLabel
	if r.MountLabel != "" && !selinuxEnabled() {
		c.lack("linux.mountLabel: SELinux is not enabled on this host")
	}
	r.SetupDev = c.setupDev()
	if c.doc.Root == nil {
		c.fault("root: missing")
		return
	}
	r.Readonly = c.doc.Root.Readonly
	r.Path = c.rootPath(c.doc.Root.Path)
}

// rootPath refuses a root that is missing, no directory, or a symlink: it could
// be pointed elsewhere between now and its use.
func (c *converter) rootPath(given string) string {
	if given == "" {
		c.fault("root.path: missing")
		return ""
	}
	dir := given
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(c.cfg.Bundle, dir)
	}
	dir = filepath.Clean(dir)
	var st syscall.Stat_t
	if err := syscall.Lstat(dir, &st); err != nil {
		c.fault("root.path %q: %w", given, err)
		return ""
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
	case syscall.S_IFLNK:
		c.fault("root.path %q is a symlink", given)
	default:
		c.fault("root.path %q is not a directory", given)
	}
	return dir
}

// propagation sorts linux.rootfsPropagation into what is set before the first
// mount and what after pivot_root. Before, never anything but private or slave on
// the whole tree, or mounts of the container would show on the host.
func (c *converter) propagation() {
	r := &c.plan.Rootfs
	switch v := c.linux.RootfsPropagation; v {
	case "", "slave", "rslave":
	case "private", "rprivate":
		r.Propagation = syscall.MS_PRIVATE | syscall.MS_REC
	case "shared":
		r.FinalPropagation = syscall.MS_SHARED
	case "rshared":
		r.FinalPropagation = syscall.MS_SHARED | syscall.MS_REC
	case "unbindable":
		r.FinalPropagation = syscall.MS_UNBINDABLE
	case "runbindable":
		r.FinalPropagation = syscall.MS_UNBINDABLE | syscall.MS_REC
	default:
		c.fault("linux.rootfsPropagation: %q is not one of shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable", v)
	}
}

// absolutes checks that every path is absolute, and cleans it.
func (c *converter) absolutes(field string, list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, p := range list {
		if !filepath.IsAbs(p) {
			c.fault("%s[%d]: %q is not absolute", field, i, p)
			continue
		}
		out[i] = path.Clean(p)
	}
	return out
}

// setupDev is false when the user binds a directory of the host over /dev: berth
// must not create links there.
func (c *converter) setupDev() bool {
	for i := range c.doc.Mounts {
		m := &c.doc.Mounts[i]
		if path.Clean("/"+m.Destination) == "/dev" && isBind(m.Type, m.Options) {
			return false
		}
	}
	return true
}

func isBind(kind string, options []string) bool {
	for _, word := range options {
		if word == "bind" || word == "rbind" {
			return true
		}
	}
	return kind == "bind"
}
