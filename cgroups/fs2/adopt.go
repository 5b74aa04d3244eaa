package fs2

import (
	"strings"

	"berth/cgroups/cgfile"
)

// Adopt takes up a cgroup that somebody else made for the container, systemd, with
// processes in it. Controllers that the maker knows nothing of are enabled only
// when the resources need them.
func (m *Manager) Adopt() error {
	root, err := cgfile.Open(m.mount)
	if err != nil {
		return err
	}
	defer root.Close()
	if m.dir, err = root.Sub(m.rel); err != nil {
		return err
	}
	m.fresh = true
	if m.lacks() != nil {
		if err := m.delegate(root); err != nil {
			return err
		}
		if err := m.lacks(); err != nil {
			return err
		}
	}
	return m.handOver(m.dir)
}

// lacks names a controller that the resources need and the cgroup does not have.
func (m *Manager) lacks() error {
	available, err := m.dir.Read("cgroup.controllers")
	if err != nil {
		return err
	}
	return check(m.cfg.Resources, strings.Fields(available), "in "+m.path)
}
