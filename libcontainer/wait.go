package libcontainer

import (
	"errors"
	"fmt"

	"berth/internal/linux"
	"berth/libcontainer/state"

	"golang.org/x/sys/unix"
)

// Wait waits until the container's init process has ended and returns its exit
// code as a shell gives it. The caller need not be its parent. What can be known
// about the end comes from the first of these that tells:
//
//   - exit.json, which `run --keep` and every earlier wait left;
//   - /proc/PID/stat, while the process is a zombie;
//   - the pidfd, after it was reaped (PIDFD_GET_INFO with PIDFD_INFO_EXIT, since v6.15).
//
// ErrNoStatus when none does.
func (rt *Runtime) Wait(id string) (int, error) {
	c, err := rt.open(id)
	if err != nil {
		return -1, err
	}
	defer c.close()
	if c.state.PID == 0 {
		return -1, fmt.Errorf("container %s is still being created", id)
	}
	code, err := c.wait()
	if err != nil {
		return -1, fmt.Errorf("wait for %s: %w", id, err)
	}
	// For who asks later. The directory may have been deleted meanwhile, or belong to
	// another user: then there is nobody to tell.
	_ = c.dir.SaveExit(code)
	return code, nil
}

func (c *opened) wait() (int, error) {
	pidfd, err := linux.PidfdOpen(c.state.PID)
	if errors.Is(err, unix.ESRCH) {
		return c.recorded()
	}
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", c.state.PID, err)
	}
	defer unix.Close(pidfd)
	// The pidfd keeps the number taken from here on: is it the one that was meant?
	start, err := state.StartTime(c.state.PID)
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
		return -1, err
	}
	if err == nil && start != c.state.StartTime {
		return c.recorded()
	}
	events, err := linux.Poll(pidfd, -1)
	if err != nil {
		return -1, fmt.Errorf("process %d: %w", c.state.PID, err)
	}
	return c.statusAfter(pidfd, events)
}

// statusAfter reads the exit status of a process that has just ended. A zombie
// that the caller may not look into is waited for until its parent has reaped it,
// which is when the kernel attaches the status to the pidfd and hangs it up.
func (c *opened) statusAfter(pidfd, events int) (int, error) {
	for {
		if ws, ok := state.ZombieStatus(c.state.PID, c.state.StartTime); ok {
			return shellCode(ws), nil
		}
		if code, err := pidfdStatus(pidfd); err == nil {
			return code, nil
		}
		reaped := events&linux.PollHup != 0 || !c.zombie()
		if reaped {
			// Once more: it may have been reaped between the look at /proc and this one.
			if code, err := pidfdStatus(pidfd); err == nil {
				return code, nil
			}
			return c.recorded()
		}
		hangup := []unix.PollFd{{Fd: int32(pidfd)}}
		const tick = 100 // ms: kernels before v6.9 do not hang the pidfd up
		if _, err := unix.Poll(hangup, tick); err != nil && !errors.Is(err, unix.EINTR) {
			return -1, fmt.Errorf("process %d: %w", c.state.PID, err)
		}
		events = int(hangup[0].Revents)
	}
}

// zombie tells whether the init process still is in the process table.
func (c *opened) zombie() bool {
	start, err := state.StartTime(c.state.PID)
	return err == nil && start == c.state.StartTime
}

// recorded is the answer for a process that is gone.
func (c *opened) recorded() (int, error) {
	e, err := c.dir.LoadExit()
	if err != nil {
		return -1, err
	}
	if e == nil {
		return -1, &statusLost{}
	}
	return e.Code, nil
}

// pidfdStatus asks the kernel for the exit status of a reaped process.
func pidfdStatus(pidfd int) (int, error) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if err := unix.IoctlPidfdInfo(pidfd, &info); err != nil {
		return -1, err
	}
	if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return -1, ErrNoStatus
	}
	return shellCode(unix.WaitStatus(info.Exit_code)), nil
}

func shellCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// recordExit keeps the exit code of a container that stays.
func (rt *Runtime) recordExit(id string, code int) error {
	dir, err := rt.store().Open(id)
	if errors.Is(err, state.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	return errors.Join(dir.SaveExit(code), dir.Close())
}

// statusLost is ErrNoStatus with what can be done about it.
type statusLost struct{}

func (*statusLost) Error() string {
	return "the container has ended, and its parent has taken the exit status with it: " + ErrNoStatus.Error()
}

// Unwrap makes it an ErrNoStatus.
func (*statusLost) Unwrap() error { return ErrNoStatus }

// Hint tells how to learn it the next time.
func (*statusLost) Hint() string {
	return "wait before the container ends (Linux 6.15 or newer), or run it with 'berth run --keep', which records the status"
}
