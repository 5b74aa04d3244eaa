package fs2

import (
	"errors"

	"berth/cgroups/cgfile"
	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Set writes the limits; see cgroups.Manager. To a new cgroup device rules come
// first, before there is a process that could use one. In one that is in use they
// come last: they are replaced in one step, and nothing behind them can fail.
func (m *Manager) Set(r *specs.LinuxResources) error {
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
	if m.fresh {
		if err := m.setDevices(d, r); err != nil {
			return err
		}
		m.fresh = false
		return setLimits(d, r)
	}
	m.journal = cgfile.Journal{}
	d.Log(&m.journal)
	err = setLimits(d, r)
	d.Log(nil)
	if err == nil {
		err = m.setDevices(d, r)
	}
	if err != nil {
		err = errors.Join(err, m.Undo())
	}
	return err
}

// Undo puts back the limits that the last Set of a cgroup in use has changed; device
// rules stay.
func (m *Manager) Undo() error { return m.journal.Undo() }

func setLimits(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	for _, set := range []func(*cgfile.Dir, *specs.LinuxResources) error{
		setMemory, setCPU, setCpuset, setPids, setIO, setHugetlb, setRdma, setUnified,
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
// r has rules.
func (m *Manager) setDevices(d *cgfile.Dir, r *specs.LinuxResources) error {
	if !m.fresh && (r == nil || len(r.Devices) == 0) {
		return nil
	}
	var config []specs.LinuxDeviceCgroup
	if r != nil {
		config = r.Devices
	}
	rules, err := devices.Rules(config)
	if err != nil {
		return err
	}
	err = devices.Attach(d.FD(), rules)
	// Loading a program takes capabilities in the host's user namespace. Without
	// them no device can be made, and file permissions guard those that exist.
	if m.cfg.Rootless && denied(err) {
		return nil
	}
	return err
}
