package libcontainer

import "berth/libcontainer/state"

// Resume lets the processes of a paused container go on.
func (rt *Runtime) Resume(id string) error {
	c, err := rt.openLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	status, err := c.status()
	if err != nil {
		return err
	}
	if status != state.Paused {
		return ErrNotPaused
	}
	return c.freeze(false)
}
