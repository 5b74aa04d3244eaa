package hooks

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// run is a hook that runs.
type run struct {
	pid, pidfd int
	out, err   capture
}

// start makes the child, in a process group of its own so that a timeout ends its
// children too.
func (r *run) start(h *wire.Hook, stdin int) (err error) {
	outW, errW := h.Stdout, h.Stderr
	if outW == 0 {
		if outW, err = r.out.open(); err != nil {
			return err
		}
		defer closeFd(outW)
	}
	if errW == 0 {
		if errW, err = r.err.open(); err != nil {
			return err
		}
		defer closeFd(errW)
	}
	args := h.Args
	if len(args) == 0 {
		args = []string{h.Path}
	}
	r.pid, err = syscall.ForkExec(h.Path, args, &syscall.ProcAttr{
		Env:   h.Env,
		Files: []uintptr{uintptr(stdin), uintptr(outW), uintptr(errW)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &r.pidfd},
	})
	return err
}

// wait reads the hook's output until the hook has ended, and reaps it.
func (r *run) wait(timeout int) (status syscall.WaitStatus, timedOut bool, err error) {
	deadline := linux.Monotonic() + int64(timeout)*1e9
	for {
		pid, err := syscall.Wait4(r.pid, &status, syscall.WNOHANG, nil)
		if err != nil && err != syscall.EINTR {
			return status, false, err
		}
		if pid == r.pid {
			r.out.drain()
			r.err.drain()
			return status, false, nil
		}
		left := int64(-1)
		if timeout > 0 {
			// Rounded up, or the last millisecond would be spent spinning.
			left = (deadline - linux.Monotonic() + 1e6 - 1) / 1e6
			if left <= 0 {
				return status, true, r.kill()
			}
		}
		if err := r.poll(left); err != nil {
			return status, false, errors.Join(err, r.kill())
		}
	}
}

// poll waits for output, for the end of the hook, or left milliseconds (-1: for
// ever). Without a pidfd (before v5.2) it looks in every 10 ms.
func (r *run) poll(left int64) error {
	if r.pidfd < 0 && (left < 0 || left > 10) {
		left = 10
	}
	fds := [3]linux.PollFd{
		{FD: int32(r.pidfd), Events: linux.PollIn},
		{FD: int32(r.out.fd), Events: linux.PollIn},
		{FD: int32(r.err.fd), Events: linux.PollIn},
	}
	if _, err := linux.PollAll(fds[:], left); err != nil && err != syscall.EINTR {
		return err
	}
	if fds[1].Revents != 0 {
		r.out.drain()
	}
	if fds[2].Revents != 0 {
		r.err.drain()
	}
	return nil
}

// kill ends the hook's process group and reaps the hook. The pid cannot have been
// given to another process: it has not been waited for.
func (r *run) kill() error {
	// ESRCH cannot be: the unreaped child keeps its group alive. Should the child have
	// left the group, killing it alone remains.
	if err := syscall.Kill(-r.pid, syscall.SIGKILL); err != nil {
		if err := syscall.Kill(r.pid, syscall.SIGKILL); err != nil {
			return err
		}
	}
	for {
		_, err := syscall.Wait4(r.pid, nil, 0, nil)
		if err != syscall.EINTR {
			r.out.drain()
			r.err.drain()
			return err
		}
	}
}

func (r *run) close() {
	closeFd(r.pidfd)
	closeFd(r.out.fd)
	closeFd(r.err.fd)
}
