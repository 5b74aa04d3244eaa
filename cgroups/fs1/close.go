package fs1

// Close gives back the file descriptors the Manager keeps between its calls. It
// stays usable: what it needs is opened again.
func (m *Manager) Close() { m.closeDirs() }
