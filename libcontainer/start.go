package libcontainer

import (
	"errors"
	"fmt"

	"berth/libcontainer/hooks"
	"berth/libcontainer/launch"
	"berth/libcontainer/state"
	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// What start answers a container that cannot be started; the sentences are runc's.
var (
	errRunning = errors.New("cannot start an already running container")
	errStopped = errors.New("cannot start a container that has stopped")
	errPaused  = errors.New("cannot start a paused container")
)

// Start runs the workload of a created container. It returns once execve has
// succeeded, or with the reason why not.
func (rt *Runtime) Start(id string) error {
	c, status, err := withStatus(rt.openLocked(id))
	if err != nil {
		return err
	}
	defer c.close()
	switch status {
	case state.Created:
	case state.Stopped:
		return errStopped
	case state.Paused:
		return errPaused
	default:
		return errRunning
	}
	notify, err := openNotify(c.dir)
	if err != nil {
		return err
	}
	defer notify.close()
	sock, err := connectAt(c.dir.FD(), state.StartSocket)
	if err != nil {
		return fmt.Errorf("call the init process: %w", err)
	}
	defer unix.Close(sock)
	// The socket's name is what makes a container count as created. It goes first: a
	// start that dies from here on takes the init stage with it, which sees end of
	// file, and the container is stopped.
	if err := unix.Unlinkat(c.dir.FD(), state.StartSocket, 0); err != nil {
		return fmt.Errorf("remove start socket of %s: %w", id, err)
	}
	if err := launch.Release(wire.Conn{FD: sock}, rt.Log.Warn, c.sendListener(c.state.PID, state.Created)); err != nil {
		return err
	}
	list, err := c.savedHooks("poststart")
	if err != nil {
		return err
	}
	if err := c.poststart(list); err != nil {
		return err
	}
	return notify.forward(c.state.PID)
}

// poststart runs the poststart hooks. A failure is an error and ends the container
// (OCI runtime spec 1.3, lifecycle, step 9).
func (c *opened) poststart(list []wire.Hook) error {
	err := c.runHooks(hooks.RunAll, "poststart", list, state.Running)
	if err == nil {
		return nil
	}
	if e := c.signalInit(unix.SIGKILL); e != nil && !errors.Is(e, ErrNotRunning) {
		err = errors.Join(err, e)
	}
	return err
}
