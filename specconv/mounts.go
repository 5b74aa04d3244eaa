package specconv

import (
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mounts converts all of mounts, in order.
func (c *converter) mounts() {
	if len(c.doc.Mounts) == 0 {
		return
	}
	c.plan.Rootfs.Mounts = make([]wire.Mount, 0, len(c.doc.Mounts))
	for i := range c.doc.Mounts {
		c.mount(i, &c.doc.Mounts[i])
	}
}

func (c *converter) mount(i int, m *specs.Mount) {
	w := wire.Mount{Index: i, Source: m.Source, Type: m.Type, FD: -1}
	flags := c.mountWords(i, m, &w)
	// The spec wants bind or rbind among the options, but no file system is called
	// bind, and old engines give the type alone.
	w.Bind = flags&flagBind != 0 || m.Type == "bind"
	w.Recursive = flags&flagRbind != 0
	w.Remount = flags&flagRemount != 0
	w.TmpCopyUp = flags&flagTmpCopyUp != 0
	w.CopySymlink = flags&flagCopySymlink != 0
	w.SrcNofollow = flags&flagSrcNofollow != 0
	w.DestNofollow = flags&flagDestNofollow != 0
	c.mountDestination(i, m, &w)
	if w.Bind {
		c.bindMount(i, m, &w)
	} else {
		c.freshMount(i, &w)
	}
	if w.TmpCopyUp && (w.Type != "tmpfs" || w.Bind) {
		c.fault("mounts[%d].options: tmpcopyup needs a mount of type tmpfs", i)
	}
	c.procMount(i, &w)
	c.idmapMount(i, m, &w, flags)
	c.plan.Rootfs.Mounts = append(c.plan.Rootfs.Mounts, w)
}

// mountWords sorts the options into w; unknown words become Data.
func (c *converter) mountWords(i int, m *specs.Mount, w *wire.Mount) mountFlag {
	var flags mountFlag
	var data []string
	for _, word := range m.Options {
		o := findMountOption(word)
		switch {
		case o != nil:
			flags |= o.flag
			o.apply(w)
		case strings.HasPrefix(word, "idmap=") || strings.HasPrefix(word, "ridmap="):
			c.fault("mounts[%d].options: %q is not supported, use idmap with uidMappings and gidMappings", i, word)
		case word != "":
			data = append(data, word)
		}
	}
	w.Data = strings.Join(data, ",")
	return flags
}

func (c *converter) mountDestination(i int, m *specs.Mount, w *wire.Mount) {
	if m.Destination == "" {
		c.fault("mounts[%d].destination: missing", i)
		return
	}
	if m.Destination[0] != '/' {
		c.warn("mounts[%d].destination %q is not absolute: taken as relative to / (deprecated)", i, m.Destination)
	}
	w.Destination = path.Clean("/" + m.Destination)
}

// bindMount checks the source and drops what means nothing for a bind mount, as
// mount(8) does.
func (c *converter) bindMount(i int, m *specs.Mount, w *wire.Mount) {
	w.SkipLabel = true
	w.SuperFlags = 0
	if w.Data != "" {
		c.warn("mounts[%d].options: %q ignored, a bind mount takes no file system options", i, w.Data)
		w.Data = ""
	}
	if w.Remount {
		return
	}
	// Engines write rw for every volume that is not ro; it must not lift the
	// protection of a source that the host mounted read-only (a remount does).
	w.AttrClr &^= linux.MountAttrRdonly
	if m.Source == "" {
		c.fault("mounts[%d].source: missing, a bind mount needs one", i)
		return
	}
	if !filepath.IsAbs(w.Source) {
		w.Source = filepath.Join(c.cfg.Bundle, w.Source)
	}
	// A source is looked up in the mount namespace that is joined.
	if ns := c.cfg.Namespace(linux.CLONE_NEWNS); ns != nil && ns.Path != "" {
		return
	}
	if err := exists(w.Source, w.SrcNofollow || w.CopySymlink); err != nil {
		c.fault("mount source %q of mounts[%d]: %w", m.Source, i, err)
	}
}

// exists looks the path up; nofollow accepts a dangling symlink.
func exists(name string, nofollow bool) error {
	var st syscall.Stat_t
	if nofollow {
		return syscall.Lstat(name, &st)
	}
	return syscall.Stat(name, &st)
}

// freshMount checks a mount that makes a file system.
func (c *converter) freshMount(i int, w *wire.Mount) {
	if w.Type == "" && !w.Remount {
		c.fault("mounts[%d].type: missing, and the options name neither bind nor rbind", i)
		return
	}
	if w.CopySymlink || w.SrcNofollow {
		c.fault("mounts[%d].options: copy-symlink and src-nofollow need a bind mount", i)
	}
	switch w.Type {
	case "proc", "sysfs", "mqueue":
		w.SkipLabel = true
	case "cgroup", "cgroup2":
		w.SkipLabel = true
		// The superblock is the host's: only the mount can be read-only.
		w.SuperFlags &^= syscall.MS_RDONLY
		if w.Type == "cgroup" && !w.Remount {
			c.cgroupMount(i, w)
		}
	}
}

// idmapMount checks idmap, ridmap and the mappings of a mount.
func (c *converter) idmapMount(i int, m *specs.Mount, w *wire.Mount, flags mountFlag) {
	mapped := len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0
	if flags&flagIDMap == 0 && !mapped {
		return
	}
	where := at("mounts", i)
	switch {
	case !w.Bind || w.Remount:
		c.fault("%s: idmap needs a bind mount", where)
	case mapped && (len(m.UIDMappings) == 0 || len(m.GIDMappings) == 0):
		c.fault("%s: uidMappings and gidMappings must be given together", where)
	case !mapped && c.cfg.Namespace(linux.CLONE_NEWUSER) == nil:
		c.fault("%s: idmap needs uidMappings and gidMappings, or a user namespace of the container", where)
	case c.cfg.Rootless:
		c.lack("%s: idmapped mounts need root", where)
	}
	c.cfg.IDMapMounts = append(c.cfg.IDMapMounts, configs.IDMapMount{
		Mount:       len(c.plan.Rootfs.Mounts),
		Recursive:   flags&flagRIDMap != 0,
		UIDMappings: c.idMaps(where+".uidMappings", m.UIDMappings),
		GIDMappings: c.idMaps(where+".gidMappings", m.GIDMappings),
	})
}
