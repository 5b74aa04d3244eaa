package fs2

// Close gives back the file descriptor the Manager keeps between its calls. It
// stays usable: what it needs is opened again.
func (m *Manager) Close() { m.closeDir() }
