package fs2

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// Kill sends SIGKILL to every process and waits until they are gone; see
// cgroups.Manager. cgroup.kill (since v5.14) takes the whole tree at once, forks in
// flight and frozen processes included.
func (m *Manager) Kill() error {
	if m.none {
		return cgroups.ErrNoCgroup
	}
	d, err := m.open()
	if cgfile.Gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if pids, err := d.AllPids(); err == nil && slices.Contains(pids, os.Getpid()) {
		return errors.New("kill cgroup: the caller itself is in it")
	}
	if err := d.Write("cgroup.kill", "1"); err != nil {
		if cgfile.Gone(err) && !d.Exists("cgroup.procs") {
			return nil
		}
		return cgfile.KillAll(m.Pids, func(frozen bool) {
			// What does not freeze is killed all the same, in more rounds.
			_ = m.Freeze(frozen)
		})
	}
	done, err := d.Await("populated", 0, eventBound)
	if cgfile.Gone(err) || err == nil && done {
		return nil
	}
	if err != nil {
		return err
	}
	pids, err := m.Pids()
	if err != nil {
		return err
	}
	return fmt.Errorf("processes %v outlive SIGKILL", pids)
}

// Pids lists the processes of the cgroup and its children; a removed one has none.
func (m *Manager) Pids() ([]int, error) {
	return cgfile.PidsOf(m.open)
}

// OOMKills returns how often the kernel killed a process for this cgroup's limit.
func (m *Manager) OOMKills() (uint64, error) {
	d, err := m.open()
	if err != nil {
		return 0, err
	}
	n, err := d.ReadKey("memory.events", "oom_kill")
	if cgfile.Missing(err) {
		return 0, nil // the memory controller is off
	}
	return n, err
}

// Destroy removes the directory with all below it; see cgroups.Manager.
func (m *Manager) Destroy() error {
	if m.none {
		return nil
	}
	m.Close()
	return cgfile.RemoveUnified(m.path)
}
