package specconv

import (
	"os"
	"path"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"
)

// cgroupMount turns a mount of type cgroup into cgroup2, or lists the v1
// hierarchies that the host has mounted.
func (c *converter) cgroupMount(i int, w *wire.Mount) {
	l, err := c.layout()
	if err != nil {
		c.fault("mounts[%d]: %w", i, err)
		return
	}
	if l.V2 {
		w.Type = "cgroup2"
		return
	}
	// Without a namespace of its own the container sees directories of the host's:
	// the caller's, unless BindCgroups knows better.
	own := func(mount, own string) string { return existing(path.Join(mount, own), mount) }
	if c.cfg.Namespace(linux.CLONE_NEWCGROUP) != nil {
		own = func(string, string) string { return "" }
	}
	w.CgroupV1 = make([]wire.CgroupHierarchy, 0, len(l.Hierarchies)+1)
	for j := range l.Hierarchies {
		h := &l.Hierarchies[j]
		w.CgroupV1 = append(w.CgroupV1, wire.CgroupHierarchy{
			Name: h.Name, Options: h.Options(), Links: h.Links, Source: own(path.Join(l.Root, h.Name), h.Own), Readonly: true,
		})
	}
	if l.Unified != "" {
		w.CgroupV1 = append(w.CgroupV1, wire.CgroupHierarchy{
			Name: path.Base(l.Unified), Options: "cgroup2", Source: own(l.Unified, l.Own), Readonly: true,
		})
	}
}

// layout is how the host's cgroups are mounted.
func (c *converter) layout() (*cgroups.Layout, error) {
	if c.opts.CgroupLayout != nil {
		return c.opts.CgroupLayout, nil
	}
	return cgfile.Detect()
}

// existing returns dir, or instead where there is no such directory: in a cgroup
// namespace whose mounts come from outside, /proc/self/cgroup and they differ.
func existing(dir, instead string) string {
	if _, err := os.Stat(dir); err != nil {
		return instead
	}
	return dir
}

// BindCgroups completes the cgroup mounts once it is known where the container's
// cgroup is, by the host paths in rec: on v1 they show its own directories where it
// has no cgroup namespace, and on v2 where the kernel refuses a mount of its own.
func BindCgroups(cfg *configs.Config, rec cgroups.Record) {
	namespaced := cfg.Namespace(linux.CLONE_NEWCGROUP) != nil
	for i := range cfg.Plan.Rootfs.Mounts {
		m := &cfg.Plan.Rootfs.Mounts[i]
		if m.Type == "cgroup2" {
			m.CgroupV2 = rec.Paths[""]
		}
		list := m.CgroupV1
		for j := 0; j < len(list) && !namespaced; j++ {
			if own := ownCgroup(&list[j], rec.Paths); own != "" {
				list[j].Source, list[j].Readonly = own, false
			}
		}
	}
}

// ownCgroup finds the directory of a hierarchy by any of its controllers.
func ownCgroup(h *wire.CgroupHierarchy, paths map[string]string) string {
	if h.Options == "cgroup2" {
		return paths[cgroups.Unified]
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(h.Options, "none,"), ",") {
		if p := paths[key]; p != "" {
			return p
		}
	}
	return ""
}
