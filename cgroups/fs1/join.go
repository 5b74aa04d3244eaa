package fs1

import (
	"fmt"
	"slices"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// OpenJoin opens the tasks file of every hierarchy; see cgroups.Manager. A single
// thread that writes "0" to it skips the lock and the RCU wait that cgroup.procs
// costs.
func (m *Manager) OpenJoin(sub map[string]string) (*cgroups.Join, error) {
	for name := range sub {
		if name != "" && m.find(name) == nil {
			return nil, fmt.Errorf("cgroup controller %q is not mounted: cannot enter its sub-cgroup %q", name, sub[name])
		}
	}
	j := &cgroups.Join{Dir: -1, Tasks: make([]int, 0, len(m.groups))}
	defer m.closeDirs()
	for _, g := range m.groups {
		fd, err := g.openTasks(g.sub(sub))
		if err != nil {
			for _, fd := range j.Tasks {
				_ = unix.Close(fd) // nothing was written
			}
			return nil, err
		}
		j.Tasks = append(j.Tasks, fd)
	}
	return j, nil
}

// OpenJoinWith opens what OpenJoin does: on v1 any cgroup takes processes.
func (m *Manager) OpenJoinWith(int) (*cgroups.Join, error) { return m.OpenJoin(nil) }

// sub is the wanted path below the container's cgroup in this hierarchy.
func (g *group) sub(subs map[string]string) string {
	for name, p := range subs {
		if name != "" && slices.Contains(g.controllers, name) {
			return p
		}
	}
	return subs[""]
}

func (g *group) openTasks(sub string) (int, error) {
	d, err := g.open()
	if err != nil {
		return -1, err
	}
	if sub = strings.Trim(sub, "/"); sub != "" {
		s, err := d.Sub(sub)
		if err != nil {
			return -1, err
		}
		defer s.Close()
		d = s
	}
	fd, err := d.OpenFile("tasks", unix.O_WRONLY)
	if err != nil {
		return -1, fmt.Errorf("open %s/tasks: %w", d.Path, err)
	}
	return fd, nil
}

// Add moves a process in by its pid; see cgroups.Manager.
func (m *Manager) Add(pid int) error {
	for _, g := range m.groups {
		d, err := g.open()
		if err != nil {
			return err
		}
		if err := cgfile.AddPid(d, pid); err != nil {
			return err
		}
	}
	return nil
}
