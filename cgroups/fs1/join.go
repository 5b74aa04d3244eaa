package fs1

import (
	"fmt"
	"math"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// OpenJoin opens the tasks file of every v1 hierarchy, and the directory of the v2 one
// of a hybrid host; see cgroups.Manager. A single thread that writes "0" to tasks skips
// the lock and the RCU wait that cgroup.procs costs.
func (m *Manager) OpenJoin(sub map[string]string) (_ *cgroups.Join, err error) {
	for name := range sub {
		if name != "" && m.find(name) == nil {
			return nil, fmt.Errorf("cgroup controller %q is not mounted: cannot enter its sub-cgroup %q", name, sub[name])
		}
	}
	j := &cgroups.Join{Dir: -1, Tasks: make([]int, 0, len(m.groups))}
	defer m.Close()
	defer func() {
		if err != nil {
			closeJoin(j)
		}
	}()
	for _, g := range m.groups {
		if g.has(cgroups.Unified) {
			if j.Dir, err = g.openDir(sub); err != nil {
				return nil, err
			}
			continue
		}
		fd, err := g.openTasks(g.sub(sub))
		if err != nil {
			return nil, err
		}
		j.Tasks = append(j.Tasks, fd)
	}
	return j, nil
}

func closeJoin(j *cgroups.Join) {
	for _, fd := range j.Tasks {
		_ = unix.Close(fd) // nothing was written
	}
	if j.Dir >= 0 {
		_ = unix.Close(j.Dir)
	}
}

// openDir opens the cgroup in the v2 hierarchy of a hybrid host. A sub-cgroup that is
// wanted in all hierarchies need not be in this one, which limits nothing.
func (g *group) openDir(sub map[string]string) (int, error) {
	d, err := g.open()
	if err != nil {
		return -1, err
	}
	if p := strings.Trim(g.sub(sub), "/"); p != "" {
		s, err := d.Sub(p)
		if err == nil {
			return s.Release(), nil
		}
		if _, named := sub[cgroups.Unified]; named || !cgfile.Missing(err) {
			return -1, err
		}
	}
	g.dir = nil
	return d.Release(), nil
}

// OpenJoinWith opens the cgroup in the v2 hierarchy that a process of the container is
// in: on v1 any cgroup takes processes.
func (m *Manager) OpenJoinWith(pid int) (*cgroups.Join, error) {
	j := &cgroups.Join{Dir: -1}
	g := m.find(cgroups.Unified)
	if g == nil {
		return j, nil
	}
	d, err := g.open()
	if err != nil {
		return nil, err
	}
	s, err := d.SubOf(pid)
	if err != nil {
		return nil, err
	}
	j.Dir = s.Release()
	return j, nil
}

// Room tells how many tasks more fit in; see cgroups.Manager.
func (m *Manager) Room(sub map[string]string) (uint64, error) {
	g := m.find("pids")
	if g == nil {
		return math.MaxUint64, nil
	}
	return cgfile.RoomIn(g.open, g.sub(sub))
}

// sub is the wanted path below the container's cgroup in this hierarchy.
func (g *group) sub(subs map[string]string) string {
	for name, p := range subs {
		if name != "" && g.has(name) {
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
		if err := d.AddPid(pid); err != nil {
			return err
		}
	}
	return nil
}
