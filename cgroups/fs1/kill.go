package fs1

import (
	"slices"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// Kill sends SIGKILL to every process; see cgroups.Manager.
func (m *Manager) Kill() error {
	if len(m.groups) == 0 {
		return cgroups.ErrNoCgroup
	}
	return cgfile.KillAll(m.anyPids, func(frozen bool) {
		g := m.find("freezer")
		if g == nil {
			return
		}
		// A cgroup that does not freeze is killed all the same, in more rounds; one
		// that is gone has nothing to freeze.
		if d, err := g.open(); err == nil {
			_ = setFrozen(d, frozen, unstickAfter)
		}
	})
}

// Pids lists the processes of the cgroup and its children; a removed one has none.
// Every process is in all hierarchies, so one is read: that of the freezer when it
// is there, or else the first.
func (m *Manager) Pids() ([]int, error) {
	if len(m.groups) == 0 {
		return nil, cgroups.ErrNoCgroup
	}
	g := m.find("freezer")
	if g == nil {
		g = m.groups[0]
	}
	return cgfile.PidsOf(g.open)
}

// anyPids lists the processes that are in the container's cgroup of any hierarchy:
// one is enough to keep it from being removed.
func (m *Manager) anyPids() ([]int, error) {
	var all []int
	for _, g := range m.groups {
		pids, err := cgfile.PidsOf(g.open)
		if err != nil {
			return nil, err
		}
		all = append(all, pids...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// OOMKills returns how often the kernel killed a process for this cgroup's limit.
func (m *Manager) OOMKills() (uint64, error) {
	g := m.find("memory")
	if g == nil {
		return 0, nil
	}
	d, err := g.open()
	if err != nil {
		return 0, err
	}
	return d.ReadKey("memory.oom_control", "oom_kill")
}

// Destroy removes the directories; see cgroups.Manager.
func (m *Manager) Destroy() error {
	m.Close()
	paths := make([]string, len(m.groups))
	for i, g := range m.groups {
		paths[i] = g.path
	}
	return cgfile.RemoveAll(paths)
}
