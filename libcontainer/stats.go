package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"berth/cgroups"
	"berth/cgroups/stats"
	"berth/libcontainer/state"

	"golang.org/x/sys/unix"
)

// Sample is what a container used at one moment.
type Sample struct {
	ID     string
	Status string
	// At is when the counters were read.
	At time.Time
	// Stats is nil for a container that has stopped, or has no cgroup.
	Stats *stats.Stats
}

// Stats reads the counters of one container.
func (rt *Runtime) Stats(id string) (Sample, error) {
	c, status, err := withStatus(rt.open(id))
	if err != nil {
		return Sample{}, err
	}
	defer c.close()
	return newSample(c.state, status)
}

// AllStats reads the counters of every container below the root, by id; those that
// have stopped are in the list with stopped only.
func (rt *Runtime) AllStats(stopped bool) ([]Sample, error) {
	entries, err := rt.entries()
	if err != nil {
		return nil, err
	}
	samples := make([]Sample, 0, len(entries))
	for _, e := range entries {
		if e.Status == state.Stopped && !stopped {
			continue
		}
		s, err := newSample(e.State, e.Status)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	return samples, nil
}

func newSample(st *state.State, status state.Status) (Sample, error) {
	s := Sample{ID: st.ID, Status: string(status), At: time.Now()}
	if status == state.Stopped || status == state.Creating {
		return s, nil
	}
	r, err := stats.Open(st.Cgroup)
	if err == nil {
		defer r.Close()
		s.At = time.Now()
		s.Stats, err = r.Read()
	}
	// No cgroup, or none any more.
	if errors.Is(err, cgroups.ErrNoCgroup) || errors.Is(err, unix.ENODEV) {
		return s, nil
	}
	if err != nil {
		return Sample{}, fmt.Errorf("statistics of %s: %w", st.ID, err)
	}
	return s, nil
}
