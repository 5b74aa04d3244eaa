package fs2

import (
	"berth/cgroups/cgfile"
	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Set writes the limits; see cgroups.Manager.
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
	if err := m.setDevices(d, r); err != nil {
		return err
	}
	m.fresh = false
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
	rules, err := devices.Rules(config, m.cfg.Devices)
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
