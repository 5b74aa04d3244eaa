package fs1

// Adopt takes up a cgroup that somebody else made for the container, systemd, with
// processes in it, and makes it in the hierarchies where it is missing.
func (m *Manager) Adopt() error {
	m.adopted = true
	return m.Create()
}
