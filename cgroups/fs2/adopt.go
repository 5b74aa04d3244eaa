package fs2

import "berth/cgroups/cgfile"

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
	if err := refuseFrozen(m.dir); err != nil {
		return err
	}
	if m.lacks(m.dir, "in "+m.path) != nil {
		if err := enableTo(root, m.rel); err != nil {
			return err
		}
		if err := m.lacks(m.dir, "in "+m.path); err != nil {
			return err
		}
	}
	return m.handOver(m.dir)
}
