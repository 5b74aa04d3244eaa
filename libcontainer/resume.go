package libcontainer

import "berth/libcontainer/state"

// Resume lets the processes of a paused container go on.
func (rt *Runtime) Resume(id string) error {
	c, status, err := withStatus(rt.openLocked(id))
	if err != nil {
		return err
	}
	defer c.close()
	if status != state.Paused {
		return ErrNotPaused
	}
	return c.freeze(false)
}
