package libcontainer

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"berth/internal/linux"
)

// pinned is a process that cannot turn into another one while it is held: by a
// pidfd, or before v5.3, and under seccomp filters older than that, just by its
// number, whose reuse takes the kernel a full round.
type pinned struct {
	pid   int
	pidfd int // -1: none
}

// pinProcess pins a process; ErrNotRunning when there is none.
func pinProcess(pid int) (*pinned, error) {
	pidfd, err := linux.PidfdOpen(pid)
	switch {
	case err == nil:
		return &pinned{pid, pidfd}, nil
	case errors.Is(err, syscall.ESRCH):
		return nil, ErrNotRunning
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EPERM):
		return &pinned{pid, -1}, nil
	}
	return nil, fmt.Errorf("open process %d: %w", pid, err)
}

func (p *pinned) close() {
	if p.pidfd >= 0 {
		_ = syscall.Close(p.pidfd) // a pidfd has nothing to lose
		p.pidfd = -1
	}
}

// signal sends a signal; ErrNotRunning when the process has ended.
func (p *pinned) signal(sig syscall.Signal) error {
	err := error(syscall.ENOSYS)
	if p.pidfd >= 0 {
		err = linux.PidfdSendSignal(p.pidfd, int(sig))
	}
	if errors.Is(err, syscall.ENOSYS) {
		err = syscall.Kill(p.pid, sig)
	}
	if errors.Is(err, syscall.ESRCH) {
		return ErrNotRunning
	}
	return err
}

// wait waits for the end of the process, or for the time to pass, and tells
// whether it has ended. Without a pidfd it tells after the whole time only.
func (p *pinned) wait(bound time.Duration) (bool, error) {
	if p.pidfd < 0 {
		time.Sleep(bound)
		return errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH), nil
	}
	events, err := linux.Poll(p.pidfd, int(bound/time.Millisecond))
	if err != nil {
		return false, fmt.Errorf("wait for process %d: %w", p.pid, err)
	}
	return events != 0, nil
}
