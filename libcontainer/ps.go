package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"berth/cgroups"
)

// Ps lists the container's processes by their numbers in the pid namespace of
// the caller, in ascending order.
func (rt *Runtime) Ps(id string) ([]int, error) {
	c, err := rt.open(id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	pids, err := c.pids()
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", id, err)
	}
	slices.Sort(pids)
	return pids, nil
}

func (c *opened) pids() ([]int, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	pids, err := m.Pids()
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return c.pidsOfNamespace()
	}
	return pids, err
}

// pidsOfNamespace is for a container without a cgroup: those who share the init
// process' pid namespace, or init alone if that is the host's.
func (c *opened) pidsOfNamespace() ([]int, error) {
	if alive, err := c.state.Alive(); err != nil || !alive {
		return nil, err
	}
	if !c.state.PrivatePIDNS {
		return []int{c.state.PID}, nil
	}
	ns, err := os.Readlink(pidNamespace(c.state.PID))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if other, err := os.Readlink(pidNamespace(pid)); err == nil && other == ns {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func pidNamespace(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/pid" }
