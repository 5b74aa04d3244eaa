package fs2

import (
	"berth/cgroups/cgfile"
	"berth/cgroups/devices"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Set writes the limits; see cgroups.Manager. To a new cgroup device rules come
// first, before there is a process that could use one. In one that is in use they
// come last: they are replaced in one step, and nothing behind them can fail.
func (m *Manager) Set(r *specs.LinuxResources) error {
	if !m.fresh {
		return cgfile.Attempt(func(j *cgfile.Journal) error { return m.Change(r, j) })
	}
	if err := refuse(r); err != nil {
		return err
	}
	d, err := m.open()
	if err != nil {
		return err
	}
	if err := m.setDevices(d, r, nil); err != nil {
		return err
	}
	m.fresh = false
	return setLimits(d, r)
}

// Change is Set for a cgroup in use that notes in j what it changes, for the caller
// to take back.
func (m *Manager) Change(r *specs.LinuxResources, j *cgfile.Journal) error {
	if m.none {
		return m.setNone(r)
	}
	if err := refuse(r); err != nil {
		return err
	}
	d, err := m.open()
	if err != nil {
		return err
	}
	d.Log(j)
	err = setLimits(d, r)
	d.Log(nil)
	if err != nil {
		return err
	}
	return m.setDevices(d, r, j)
}

func setLimits(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	for _, set := range []func(*cgfile.Dir, *specs.LinuxResources) error{
		setMemory, setCPU, limits.Cpuset, limits.Pids, setIO, setHugetlb, limits.Rdma, setUnified,
	} {
		if err := set(d, r); err != nil {
			return err
		}
	}
	return nil
}

// setNone is Set for a container without a cgroup.
func (m *Manager) setNone(r *specs.LinuxResources) error {
	if field := needed(r); field != "" {
		return noCgroup(field)
	}
	return nil
}

// setDevices attaches the device program: always to a fresh cgroup, later only when
// r has rules, noting in j which one was there.
func (m *Manager) setDevices(d *cgfile.Dir, r *specs.LinuxResources, j *cgfile.Journal) error {
	if !m.fresh && (r == nil || len(r.Devices) == 0) {
		return nil
	}
	rules, err := devices.Of(r)
	if err != nil {
		return err
	}
	before, err := devices.Replace(d.FD(), rules)
	switch {
	case m.cfg.Rootless && cgfile.Denied(err):
		// Loading a program takes capabilities in the host's user namespace. Without
		// them no device can be made, and file permissions guard those that exist.
	case err != nil:
		return err
	case j == nil:
		before.Close()
	default:
		j.Add(before.PutBack)
		j.After(before.Close)
	}
	return nil
}
