package fs2

import (
	"fmt"
	"path"

	"berth/cgroups/cgfile"
)

// Delegate moves a process of the container into Config.Delegated; see
// cgroups.Delegator.
func (m *Manager) Delegate(pid int) error {
	if m.none {
		return noCgroup("the delegated cgroup " + m.cfg.Delegated)
	}
	d, err := m.open()
	if err != nil {
		return err
	}
	below, err := Descend(d, m.cfg.Delegated, pid)
	if err != nil {
		return fmt.Errorf("delegate cgroup: %w", err)
	}
	defer below.Close()
	return m.handOver(below)
}

// Descend makes the cgroup rel below d with its parents, moves a process into it, and
// enables all controllers for it, which takes that no process is left in d.
func Descend(d *cgfile.Dir, rel string, pid int) (*cgfile.Dir, error) {
	if err := d.MkdirAll(rel, func(string) error { return nil }); err != nil {
		return nil, err
	}
	below, err := d.Sub(rel)
	if err != nil {
		return nil, err
	}
	if err := below.AddPid(pid); err != nil {
		below.Close()
		return nil, err
	}
	if err := enableTo(d, rel); err != nil {
		below.Close()
		return nil, err
	}
	return below, nil
}

// enableTo enables every controller there is in root and in all cgroups on the way to
// rel, so that limits, and later statistics, can be had there.
func enableTo(root *cgfile.Dir, rel string) error {
	if err := enable(root); err != nil {
		return err
	}
	parent := path.Dir(rel)
	for i := 1; i <= len(parent) && parent != "."; i++ {
		if i < len(parent) && parent[i] != '/' {
			continue
		}
		d, err := root.Sub(parent[:i])
		if err != nil {
			return err
		}
		err = enable(d)
		d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
