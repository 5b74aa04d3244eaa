package libcontainer

import (
	"berth/libcontainer/state"
)

// State tells what a container is and does.
func (rt *Runtime) State(id string) (Info, error) {
	c, status, err := withStatus(rt.open(id))
	if err != nil {
		return Info{}, err
	}
	defer c.close()
	return newInfo(c.state, status, new(owners)), nil
}

func newInfo(s *state.State, status state.Status, names *owners) Info {
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
	return info
}
