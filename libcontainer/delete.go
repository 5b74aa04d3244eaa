package libcontainer

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"berth/libcontainer/anteroom"
	"berth/libcontainer/state"
)

// How long delete waits for a killed init to end, and for another berth to let go
// of a container whose init was killed.
const (
	killWait = 10 * time.Second
	lockWait = 10 * time.Second
)

// Delete removes a container that has stopped, or was never started. force kills
// one that runs, clears what a killed create left behind, and is content when
// there is nothing.
func (rt *Runtime) Delete(id string, force bool) error {
	dir, err := rt.store().Open(id)
	if err == nil {
		defer dir.Close()
		err = rt.deleteDir(dir, force)
	}
	if force && errors.Is(err, state.ErrNotExist) {
		return nil
	}
	return err
}

func (rt *Runtime) deleteDir(dir *state.Dir, force bool) error {
	if err := rt.lockToDelete(dir, force); err != nil {
		return err
	}
	st, err := dir.Load()
	var incomplete *state.IncompleteError
	if force && errors.As(err, &incomplete) {
		rt.Log.Warnf("removed the rest of an unfinished create: %v", incomplete.Err)
		return (&opened{rt: rt, dir: dir}).forget()
	}
	if err != nil {
		return err
	}
	c := &opened{rt: rt, dir: dir, state: st}
	if !force {
		if err := c.deletable(); err != nil {
			return err
		}
	}
	if err := c.end(); err != nil {
		return fmt.Errorf("delete %s: %w", st.ID, err)
	}
	return c.destroy()
}

// lockToDelete takes the lock. With force it does not wait for ever: whoever holds
// the lock, a create or start with a hook that hangs, is relieved of the init
// process and then has a bounded time to give up.
func (rt *Runtime) lockToDelete(dir *state.Dir, force bool) error {
	if !force {
		return dir.Lock()
	}
	err := dir.LockFor(0)
	if !errors.Is(err, state.ErrBusy) {
		return err
	}
	if st, err := dir.Load(); err == nil {
		c := &opened{rt: rt, dir: dir, state: st}
		if err := c.signalInit(syscall.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
			return fmt.Errorf("delete %s: %w", st.ID, err)
		}
	}
	return dir.LockFor(lockWait)
}

// deletable says what runc says: a created container goes with its init, one that
// runs stays. One that was killed a moment ago is as good as stopped.
func (c *opened) deletable() error {
	status, err := c.status()
	if err != nil {
		return err
	}
	if status == state.Running && c.dying() {
		return nil
	}
	if status != state.Stopped && status != state.Created {
		return fmt.Errorf("cannot delete container %s that is not stopped: %s", c.state.ID, status)
	}
	return nil
}

// end kills what is left of the container and waits for its init.
func (c *opened) end() error {
	if !c.state.PrivatePIDNS || c.state.PID == 0 {
		// Processes that outlived their init, or an init whose create was killed
		// before it could write its pid down.
		if _, err := c.killCgroup(); err != nil {
			return err
		}
	}
	init, err := c.openInit()
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer init.close()
	if err := init.signal(syscall.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
		return err
	}
	if err := c.thaw(); err != nil {
		return err
	}
	return c.awaitEnd(init)
}

// awaitEnd waits for the killed init: until it is reaped, or has left everything
// but the process table (see state.Alive).
func (c *opened) awaitEnd(init *pinned) error {
	const step = 20 * time.Millisecond
	for waited := time.Duration(0); waited < killWait; waited += step {
		if ended, err := init.wait(step); ended || err != nil {
			return err
		}
		if alive, err := state.Alive(c.state.PID, c.state.StartTime); err != nil || !alive {
			return err
		}
	}
	return fmt.Errorf("process %d is still there %v after SIGKILL", c.state.PID, killWait)
}

// destroy removes the cgroup, runs the poststop hooks and forgets the container,
// in this order: killed at any point, it can be called again.
func (c *opened) destroy() error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	err = m.Destroy()
	if errors.Is(err, syscall.EBUSY) {
		// Init has gone with its pid namespace: somebody outside put a process here.
		if err := m.Kill(); err != nil && !noCgroup(err) {
			return fmt.Errorf("delete %s: %w", c.state.ID, err)
		}
		err = m.Destroy()
	}
	if err != nil && !noCgroup(err) {
		return fmt.Errorf("delete %s: %w", c.state.ID, err)
	}
	if err := c.state.IntelRdt.Remove(); err != nil {
		return fmt.Errorf("delete %s: %w", c.state.ID, err)
	}
	if err := giveNamesBack(c.state.NetDevices); err != nil {
		c.rt.Log.Warn(err.Error())
	}
	if err := c.removeLayer(); err != nil {
		c.rt.Log.Warn(err.Error())
	}
	if err := c.poststop(); err != nil {
		// The spec: log a warning, the rest of the hooks and of the deletion go on.
		c.rt.Log.Warn(err.Error())
	}
	return c.forget()
}

// forget removes the directory, and with the last container below the root what was
// kept for all.
func (c *opened) forget() error {
	if err := c.dir.Remove(); err != nil {
		return err
	}
	if err := anteroom.Remove(c.rt.Root); err != nil {
		c.rt.Log.Warn(err.Error())
	}
	return nil
}
