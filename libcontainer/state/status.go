package state

// Status derives what a container does now. listening says that its init stage
// waits to be started (Dir.Listening). frozen asks the cgroup; it is called only
// for a container with a live init, and may be nil where there is no cgroup.
func (s *State) Status(listening bool, frozen func(*State) bool) (Status, error) {
	if s.PID == 0 {
		return Creating, nil
	}
	alive, err := s.Alive()
	if err != nil {
		return "", err
	}
	if !alive {
		return Stopped, nil
	}
	switch {
	case frozen != nil && frozen(s):
		// Before Created: a container can be paused before it is started, and start
		// must know.
		return Paused, nil
	case listening:
		return Created, nil
	}
	return Running, nil
}

// Alive tells whether the container's init process exists.
func (s *State) Alive() (bool, error) { return Alive(s.PID, s.StartTime) }
