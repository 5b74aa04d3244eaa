package cgroups

// Layout is how the host's cgroup hierarchies are mounted, as far as a runtime
// cares: cgfile.Detect fills it, the drivers and specconv read it.
type Layout struct {
	// V2 says that /sys/fs/cgroup is one cgroup2 hierarchy; Hierarchies is empty then.
	V2 bool
	// Root is the mount point (v2) or the directory of mount points (v1).
	Root string
	// Own is the caller's cgroup in the cgroup2 hierarchy (pure or hybrid), as
	// /proc/self/cgroup shows it.
	Own string
	// Unified is the mount point of the cgroup2 hierarchy that a hybrid host has
	// beside its v1 ones; empty: none.
	Unified string
	// Hierarchies are the mounted v1 hierarchies, in the order of their names.
	Hierarchies []Hierarchy
}

// Hierarchy is one mounted v1 hierarchy.
type Hierarchy struct {
	// Name is the directory below Layout.Root: "memory", "cpu,cpuacct", "systemd".
	Name string
	// Controllers are those bound to it; a named hierarchy has the single entry
	// "name=systemd".
	Controllers []string
	// Links are the other names in Layout.Root that point to Name ("cpu", "cpuacct").
	Links []string
	// Own is the caller's cgroup, as /proc/self/cgroup shows it.
	Own string
}

// Options returns the mount options that select h: "cpu,cpuacct" or
// "none,name=systemd".
func (h *Hierarchy) Options() string {
	opts := ""
	for i, c := range h.Controllers {
		if i > 0 {
			opts += ","
		}
		opts += c
	}
	if h.Named() {
		return "none," + opts
	}
	return opts
}

// Named says that h has a name and no controllers.
func (h *Hierarchy) Named() bool {
	return len(h.Controllers) == 1 && len(h.Controllers[0]) > 5 && h.Controllers[0][:5] == "name="
}
