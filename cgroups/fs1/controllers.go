package fs1

import (
	"fmt"
	"slices"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// controllers are those with limits, in the order they are written: each takes from
// the resources what is its own, which may be nothing. The others (cpuacct, freezer,
// perf_event, misc, named hierarchies) only get a directory, and devices, which come
// first of all, are written by setDevices.
var controllers = [...]struct {
	name string
	set  func(*cgfile.Dir, *specs.LinuxResources) error
}{
	{"memory", setMemory},
	{"cpu", setCPU},
	{"cpuset", limits.Cpuset},
	{"pids", limits.Pids},
	{"blkio", setBlkio},
	{"hugetlb", setHugetlb},
	{"net_cls", setNetCls},
	{"net_prio", setNetPrio},
	{"rdma", limits.Rdma},
}

func setHugetlb(d *cgfile.Dir, r *specs.LinuxResources) error {
	return limits.Hugetlb(d, r, "limit_in_bytes")
}

// check refuses what no mounted controller can apply.
func (m *Manager) check(r *specs.LinuxResources) error {
	if r != nil && len(r.Devices) > 0 && m.find("devices") == nil && !m.cfg.Rootless {
		return absent("devices", "linux.resources.devices")
	}
	for _, f := range limits.Asked(r) {
		switch {
		case f.V1 == "":
			return fmt.Errorf("%s cannot be applied: the host has cgroup v1", f)
		case m.find(f.V1) == nil:
			return absent(f.V1, f.String())
		}
	}
	return nil
}

func absent(name, field string) error {
	return fmt.Errorf("cgroup controller %q is not mounted: %s cannot be applied", name, field)
}

// asked says that a field needs one of the group's controllers.
func (g *group) asked(r *specs.LinuxResources) bool {
	return slices.ContainsFunc(limits.Asked(r), func(f limits.Field) bool { return g.has(f.V1) })
}

// Set writes the limits; see cgroups.Manager. To a new cgroup device rules come
// first, before there is a process that could use one. In one that is in use they
// come last, since they are the hardest to put back when something is refused.
func (m *Manager) Set(r *specs.LinuxResources) error {
	if m.fresh {
		if err := m.check(r); err != nil {
			return err
		}
		if err := m.setDevices(r, nil); err != nil {
			return err
		}
		m.fresh = false
		return m.setLimits(r, nil)
	}
	return cgfile.Attempt(func(j *cgfile.Journal) error { return m.Change(r, j) })
}

// Change is Set for a cgroup in use that notes in j what it changes, for the caller
// to take back.
func (m *Manager) Change(r *specs.LinuxResources, j *cgfile.Journal) error {
	if err := m.check(r); err != nil {
		return err
	}
	if err := m.setLimits(r, j); err != nil {
		return err
	}
	return m.setDevices(r, j)
}

// setLimits notes in j, unless that is nil, what it changes.
func (m *Manager) setLimits(r *specs.LinuxResources, j *cgfile.Journal) error {
	if r == nil {
		return nil
	}
	for i := range controllers {
		c := &controllers[i]
		g := m.find(c.name)
		if g == nil {
			continue // nothing is asked of it, says check
		}
		d, err := g.open()
		if err != nil {
			return err
		}
		d.Log(j)
		err = c.set(d, r)
		d.Log(nil)
		if err != nil {
			return err
		}
	}
	return nil
}
