package fs1

import (
	"fmt"
	"slices"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// controller is what one v1 controller takes from the resources.
type controller struct {
	name string
	// asked names the field of config.json that needs the controller; "": none.
	asked func(*specs.LinuxResources) string
	// set writes what the resources say, which may be nothing.
	set func(*cgfile.Dir, *specs.LinuxResources) error
}

// controllers are those with limits, in the order they are written. The others
// (cpuacct, freezer, perf_event, misc, named hierarchies) only get a directory, and
// devices, which come first of all, are written by setDevices.
var controllers = [...]controller{
	{"memory", askedMemory, setMemory},
	{"cpu", askedCPU, setCPU},
	{"cpuset", askedCpuset, setCpuset},
	{"pids", askedPids, setPids},
	{"blkio", askedBlkio, setBlkio},
	{"hugetlb", askedHugetlb, setHugetlb},
	{"net_cls", askedNetCls, setNetCls},
	{"net_prio", askedNetPrio, setNetPrio},
	{"rdma", askedRdma, setRdma},
}

func (g *group) has(name string) bool { return slices.Contains(g.controllers, name) }

// check refuses what no mounted controller can apply.
func (m *Manager) check(r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	for k := range r.Unified {
		return fmt.Errorf("linux.resources.unified[%q] cannot be applied: the host has cgroup v1", k)
	}
	if len(r.Devices) > 0 && m.find("devices") == nil && !m.cfg.Rootless {
		return absent("devices", "linux.resources.devices")
	}
	for i := range controllers {
		c := &controllers[i]
		if field := c.asked(r); field != "" && m.find(c.name) == nil {
			return absent(c.name, field)
		}
	}
	return nil
}

func absent(name, field string) error {
	return fmt.Errorf("cgroup controller %q is not mounted: %s cannot be applied", name, field)
}

// askedOf names a field that needs one of the group's controllers; "": none.
func (m *Manager) askedOf(g *group, r *specs.LinuxResources) string {
	if r == nil {
		return ""
	}
	for i := range controllers {
		if g.has(controllers[i].name) {
			if field := controllers[i].asked(r); field != "" {
				return field
			}
		}
	}
	return ""
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

// value is what p points to; the zero value stands for absent, as engines send
// updates with every field.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
