package libcontainer

import (
	"fmt"

	"berth/libcontainer/state"
)

// Pause stops every process of a container that runs, or waits to be started.
func (rt *Runtime) Pause(id string) error {
	c, status, err := withStatus(rt.openLocked(id))
	if err != nil {
		return err
	}
	defer c.close()
	if status != state.Running && status != state.Created {
		return ErrNotRunning
	}
	return c.freeze(true)
}

func (c *opened) freeze(frozen bool) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if err := m.Freeze(frozen); err != nil {
		verb := "resume"
		if frozen {
			verb = "pause"
		}
		return fmt.Errorf("%s %s: %w", verb, c.state.ID, err)
	}
	return nil
}
