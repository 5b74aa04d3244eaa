package fs2

import (
	"math"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// OpenJoin opens the directory for CLONE_INTO_CGROUP; see cgroups.Manager.
func (m *Manager) OpenJoin(sub map[string]string) (*cgroups.Join, error) {
	if m.none {
		return &cgroups.Join{Dir: -1}, nil
	}
	d, err := m.open()
	if err != nil {
		return nil, err
	}
	if p := strings.Trim(sub[""], "/"); p != "" {
		s, err := d.Sub(p)
		if err != nil {
			return nil, err
		}
		m.Close()
		return &cgroups.Join{Dir: s.Release()}, nil
	}
	m.dir = nil
	return &cgroups.Join{Dir: d.Release()}, nil
}

// OpenJoinWith opens the cgroup a process is in; see cgroups.Manager.
func (m *Manager) OpenJoinWith(pid int) (*cgroups.Join, error) {
	if m.none {
		return &cgroups.Join{Dir: -1}, nil
	}
	d, err := m.open()
	if err != nil {
		return nil, err
	}
	s, err := d.SubOf(pid)
	if err != nil {
		return nil, err
	}
	return &cgroups.Join{Dir: s.Release()}, nil
}

// Room tells how many tasks more fit in; see cgroups.Manager.
func (m *Manager) Room(sub map[string]string) (uint64, error) {
	if m.none {
		return math.MaxUint64, nil
	}
	return cgfile.RoomIn(m.open, sub[""])
}

// Add moves a process in by its pid; see cgroups.Manager.
func (m *Manager) Add(pid int) error {
	if m.none {
		return nil
	}
	d, err := m.open()
	if err != nil {
		return err
	}
	return d.AddPid(pid)
}
