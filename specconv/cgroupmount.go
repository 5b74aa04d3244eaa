package specconv

import (
	"os"
	"strings"
	"syscall"

	"berth/cgroups"
	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/wire"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupMount turns a mount of type cgroup into cgroup2, or lists the v1
// hierarchies that the host has mounted.
func (c *converter) cgroupMount(i int, w *wire.Mount) {
	if fsType(cgroupRoot) == linux.Cgroup2SuperMagic {
		w.Type = "cgroup2"
		return
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		c.fault("mounts[%d]: %w", i, err)
		return
	}
	w.CgroupV1 = hierarchies(string(own))
	if len(w.CgroupV1) == 0 {
		c.fault("mounts[%d]: no cgroup hierarchy is mounted below %s", i, cgroupRoot)
	}
}

// hierarchies finds the mounted ones among those of /proc/self/cgroup. It looks
// at their directories instead of reading mountinfo, whose length grows with the
// host's mounts.
func hierarchies(own string) []wire.CgroupHierarchy {
	var out []wire.CgroupHierarchy
	for line := range strings.Lines(own) {
		_, rest, _ := strings.Cut(line, ":")
		controllers, _, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if h, ok := hierarchy(controllers); ok {
			out = append(out, h)
		}
	}
	return out
}

// hierarchy describes one line's hierarchy; ok is false when it is not mounted.
func hierarchy(controllers string) (h wire.CgroupHierarchy, ok bool) {
	if controllers == "" {
		h = wire.CgroupHierarchy{Name: "unified", Options: "cgroup2"}
		return h, fsType(cgroupRoot+"/unified") == linux.Cgroup2SuperMagic
	}
	if name, named := strings.CutPrefix(controllers, "name="); named {
		h = wire.CgroupHierarchy{Name: name, Options: "none," + controllers}
		return h, !strings.Contains(name, "/") && fsType(cgroupRoot+"/"+name) == linux.CgroupSuperMagic
	}
	h = wire.CgroupHierarchy{Name: controllers, Options: controllers}
	names := strings.Split(controllers, ",")
	if fsType(cgroupRoot+"/"+controllers) != linux.CgroupSuperMagic {
		// Co-mounted controllers have a directory of another order, and links to it.
		if fsType(cgroupRoot+"/"+names[0]) != linux.CgroupSuperMagic {
			return h, false
		}
		if target, err := os.Readlink(cgroupRoot + "/" + names[0]); err == nil && !strings.Contains(target, "/") {
			h.Name = target
		}
	}
	for _, name := range names {
		if name != h.Name {
			h.Links = append(h.Links, name)
		}
	}
	return h, true
}

func fsType(path string) int64 {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil {
		return 0
	}
	return st.Type
}

// BindCgroups completes the cgroup mounts of a container without a cgroup
// namespace of its own once its cgroup exists: they show its own directories,
// whose host paths stand in rec by controller.
func BindCgroups(cfg *configs.Config, rec cgroups.Record) {
	if cfg.Namespace(linux.CLONE_NEWCGROUP) != nil {
		return
	}
	for i := range cfg.Plan.Rootfs.Mounts {
		list := cfg.Plan.Rootfs.Mounts[i].CgroupV1
		for j := range list {
			list[j].Source = ownCgroup(&list[j], rec.Paths)
		}
	}
}

// ownCgroup finds the directory of a hierarchy by any of its controllers.
func ownCgroup(h *wire.CgroupHierarchy, paths map[string]string) string {
	if h.Options == "cgroup2" {
		return paths[""]
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(h.Options, "none,"), ",") {
		if p := paths[key]; p != "" {
			return p
		}
	}
	return ""
}
