package libcontainer

import (
	"errors"
	"fmt"
	"syscall"

	"berth/cgroups"
	"berth/libcontainer/state"
)

// KillOptions are the arguments of kill.
type KillOptions struct {
	ID     string
	Signal syscall.Signal
	// All signals every process of the container, and is content with one that has
	// stopped.
	All bool
}

// Kill sends a signal to the container's init process. SIGKILL reaches every
// process: the kernel kills the others with the init of a pid namespace, and
// without one the whole cgroup is killed. It does not lock: a stop must get through
// while a start or a hook hangs.
func (rt *Runtime) Kill(o KillOptions) error {
	c, err := rt.open(o.ID)
	if err != nil {
		return err
	}
	defer c.close()
	switch {
	case o.Signal == syscall.SIGKILL && !c.state.PrivatePIDNS:
		err = c.killAll()
	case o.All:
		err = c.signalAll(o.Signal)
	default:
		err = c.signalInit(o.Signal)
	}
	if o.All && errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotRunning) {
		return fmt.Errorf("kill %s: %w", o.ID, err)
	}
	return err
}

// signalInit signals the init process, and thaws the container for a SIGKILL,
// which a cgroup frozen by v1 would hold back.
func (c *opened) signalInit(sig syscall.Signal) error {
	init, err := c.openInit()
	if err != nil {
		return err
	}
	defer init.close()
	if err := init.signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return c.thaw()
	}
	return nil
}

// openInit pins the init process, or returns ErrNotRunning. Between state file and
// pidfd_open the number may have gone to another process: the start time is
// compared while the pidfd keeps the number taken.
func (c *opened) openInit() (*pinned, error) {
	if c.state.PID == 0 {
		return nil, ErrNotRunning
	}
	p, err := pinProcess(c.state.PID)
	if err != nil {
		return nil, err
	}
	alive, err := state.Alive(c.state.PID, c.state.StartTime)
	if err == nil && !alive {
		err = ErrNotRunning
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// thaw lets the processes of a frozen cgroup die. On v2 they may be dead by now, and
// the cgroup gone: systemd takes a scope away with its last process.
func (c *opened) thaw() error {
	if !c.rt.frozen(c.state) {
		return nil
	}
	if err := c.freeze(false); !noCgroup(err) {
		return err
	}
	return nil
}

// killAll kills every process of a container that shares the host's pid
// namespace, also when its init is dead already. ErrNotRunning when there was none.
func (c *opened) killAll() error {
	left, err := c.killCgroup()
	if err != nil {
		return err
	}
	// Init again by its pidfd: it may have been moved out of the cgroup, or have none.
	err = c.signalInit(syscall.SIGKILL)
	if left && errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// killCgroup kills what is in the cgroup and tells whether there was anything.
func (c *opened) killCgroup() (bool, error) {
	m, err := c.manager()
	if err != nil {
		return false, err
	}
	pids, err := m.Pids()
	if noCgroup(err) || (err == nil && len(pids) == 0) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = m.Kill()
	if noCgroup(err) {
		return false, nil
	}
	return true, err
}

// signalAll signals every process in the cgroup, or just init without one.
func (c *opened) signalAll(sig syscall.Signal) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	pids, err := m.Pids()
	if noCgroup(err) || (err == nil && len(pids) == 0) {
		return c.signalInit(sig)
	}
	if err != nil {
		return err
	}
	processes := openProcesses(pids)
	defer closeProcesses(processes)
	// Whoever is still in the cgroup now that its number is pinned was in it when it
	// was pinned: no process of the host that got a number meanwhile is hit.
	if pids, err = m.Pids(); err != nil {
		return err
	}
	for _, pid := range pids {
		p, ok := processes[pid]
		if !ok {
			continue
		}
		if err := p.signal(sig); err != nil && !errors.Is(err, ErrNotRunning) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	if sig == syscall.SIGKILL {
		return c.thaw()
	}
	return nil
}

// openProcesses pins processes by pid; those that are gone are left out.
func openProcesses(pids []int) map[int]*pinned {
	byPID := make(map[int]*pinned, len(pids))
	for _, pid := range pids {
		if p, err := pinProcess(pid); err == nil {
			byPID[pid] = p
		}
	}
	return byPID
}

func closeProcesses(byPID map[int]*pinned) {
	for _, p := range byPID {
		p.close()
	}
}

// noCgroup tells errors apart that mean that no process can be in the cgroup. ENODEV
// is what files say that were opened before their cgroup was removed.
func noCgroup(err error) bool {
	return errors.Is(err, cgroups.ErrNoCgroup) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENODEV)
}
