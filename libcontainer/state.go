package libcontainer

import (
	"berth/libcontainer/state"
)

// State tells what a container is and does.
func (rt *Runtime) State(id string) (Info, error) {
	c, err := rt.open(id)
	if err != nil {
		return Info{}, err
	}
	defer c.close()
	return c.info(c.dir.Listening(), new(owners))
}

func (c *opened) info(listening bool, names *owners) (Info, error) {
	status, err := c.state.Status(listening, c.frozen)
	if err != nil {
		return Info{}, err
	}
	s := c.state
	info := Info{
		OCIVersion:  s.OCIVersion,
		ID:          s.ID,
		PID:         s.PID,
		Status:      string(status),
		Bundle:      s.Bundle,
		Rootfs:      s.Rootfs,
		Created:     s.Created,
		Annotations: s.Annotations,
		Owner:       names.of(s.Owner),
	}
	if status == state.Stopped {
		info.PID = 0
	}
	return info, nil
}
