package launch

import (
	"errors"
	"fmt"

	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// ErrKilled reports an init stage that was killed by a signal before the workload
// ran: most often the memory limit was too small to start in.
var ErrKilled = errors.New("killed while starting")

// UntilReady answers messages until the container stands and waits to be started, and
// moves it where Options.Crowded has kept it from; the fds of Options.Cgroup must be
// open still.
// hooks runs the prestart and createRuntime hooks.
func (c *Child) UntilReady(hooks func() error, warn func(string)) error {
	for {
		kind, data, err := c.conn.Receive()
		if err != nil {
			return c.lost(err)
		}
		switch kind {
		case wire.KindReady:
			return c.enterLate()
		case wire.KindHooksDue:
			if err := hooks(); err != nil {
				return err
			}
			if err := c.Proceed(); err != nil {
				return err
			}
		default:
			if err := notice(kind, data, warn); err != nil {
				return err
			}
		}
	}
}

// Proceed lets the init stage go on: after the hooks, and once its state is saved.
func (c *Child) Proceed() error {
	if err := c.conn.Send(wire.KindProceed, nil); err != nil {
		return c.lost(err)
	}
	return nil
}

// Release sends Start over conn and waits until the workload runs or the init stage
// says why it does not. listener is given the fd of a seccomp filter with
// SCMP_ACT_NOTIFY, which stays Release's.
func Release(conn wire.Conn, warn func(string), listener func(fd int) error) error {
	if err := conn.Send(wire.KindStart, nil); err != nil {
		return err
	}
	for {
		kind, data, err := conn.Receive()
		if errors.Is(err, wire.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind == wire.KindListener {
			err = passListener(conn, listener)
		} else {
			err = notice(kind, data, warn)
		}
		if err != nil {
			return err
		}
	}
}

// passListener takes a listener from the init stage, and lets that execute the
// workload once somebody listens.
func passListener(conn wire.Conn, listener func(fd int) error) error {
	fd, _, err := wire.ReceiveFD(conn.FD)
	if err != nil {
		return fmt.Errorf("seccomp listener from the init stage: %w", err)
	}
	defer unix.Close(fd)
	if err := listener(fd); err != nil {
		return err
	}
	return conn.Send(wire.KindProceed, nil)
}

// Release starts the workload over the connection the plan came by.
func (c *Child) Release(warn func(string), listener func(fd int) error) error {
	return Release(c.conn, warn, listener)
}

// notice handles the messages that may come at any time.
func notice(kind wire.Kind, data []byte, warn func(string)) error {
	switch kind {
	case wire.KindWarning:
		warn(string(data))
		return nil
	case wire.KindFailed:
		f := new(wire.Failure)
		if err := f.Decode(data); err != nil {
			return fmt.Errorf("error of the init stage: %w", err)
		}
		return f
	default:
		return fmt.Errorf("message %d from the init stage: %w", kind, wire.ErrMalformed)
	}
}

// lost turns a broken connection into the reason for it: what the child wrote
// before, or how it ended.
func (c *Child) lost(err error) error {
	if !errors.Is(err, wire.ErrClosed) && !errors.Is(err, unix.EPIPE) {
		return err
	}
	for {
		kind, data, e := c.conn.Receive()
		if e != nil {
			break
		}
		if kind == wire.KindFailed {
			return notice(kind, data, nil)
		}
	}
	var ws unix.WaitStatus
	pid := c.PID
	for {
		if _, e := unix.Wait4(pid, &ws, 0, nil); e == nil {
			c.PID = 0
			break
		} else if e != unix.EINTR {
			return fmt.Errorf("init stage is gone: %w", err)
		}
	}
	if ws.Signaled() && ws.Signal() == unix.SIGKILL {
		return fmt.Errorf("init stage: %w", ErrKilled)
	}
	return fmt.Errorf("init stage ended with status %#x: %w", int(ws), err)
}

// Kill ends and reaps the child; it may be gone already.
func (c *Child) Kill() {
	if c.PID > 0 {
		// The child is unreaped: the pid cannot have been given to another process.
		_ = unix.Kill(c.PID, unix.SIGKILL)
		for {
			if _, err := unix.Wait4(c.PID, nil, 0, nil); err != unix.EINTR {
				break
			}
		}
		c.PID = 0
	}
	c.Close()
}

// Close gives up the connection; a child that still waits for the parent ends.
func (c *Child) Close() {
	if c.conn.FD >= 0 {
		unix.Close(c.conn.FD)
		c.conn.FD = -1
	}
}
