package boot

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/creds"
	"berth/libcontainer/hooks"
	"berth/libcontainer/wire"
)

// ready reports that the container stands, and waits until the parent has written
// that down: should the parent die in between, nobody would know of this process.
func (s *stage) ready() error {
	if err := s.conn.Send(wire.KindReady, nil); err != nil {
		return err
	}
	return s.conn.Expect(wire.KindProceed)
}

// awaitStart waits for Start: over the connection the plan came by, or after
// create, whose berth exits now, from `berth start` over the listener.
func (s *stage) awaitStart() error {
	if s.plan.StartListener < 0 {
		return s.conn.Expect(wire.KindStart)
	}
	if err := syscall.Close(s.conn.FD); err != nil {
		return err
	}
	// From here on nobody listens to errors until start calls.
	s.conn.FD = -1
	fd, err := accept(s.plan.StartListener)
	if err != nil {
		return linux.Wrap("wait for start", err)
	}
	s.conn.FD = fd
	if err := syscall.Close(s.plan.StartListener); err != nil {
		return err
	}
	return s.conn.Expect(wire.KindStart)
}

func accept(listener int) (int, error) {
	for {
		fd, _, err := syscall.Accept4(listener, syscall.SOCK_CLOEXEC)
		if err != syscall.EINTR && err != syscall.ECONNABORTED {
			return fd, err
		}
	}
}

// startHooks run inside, with the credentials of the workload.
func (s *stage) startHooks() error {
	for i := range s.plan.StartContainerHooks {
		if h := &s.plan.StartContainerHooks[i]; h.EnvOfProcess {
			h.Env = s.plan.Process.Env
		}
	}
	if err := hooks.RunAll("startContainer", s.plan.StartContainerHooks, s.hookState("created")); err != nil {
		return err
	}
	return creds.SchedulingAfterHooks(&s.plan.Process)
}

// hookState fills the status into the state prepared by the parent.
func (s *stage) hookState(status string) string {
	const mark = "@STATUS@"
	text := s.plan.HookState
	for i := 0; i+len(mark) <= len(text); i++ {
		if text[i:i+len(mark)] == mark {
			return text[:i] + status + text[i+len(mark):]
		}
	}
	return text
}

// exec becomes the workload.
func (s *stage) exec() error {
	p := &s.plan.Process
	if len(p.Args) == 0 {
		return errors.New("cannot start a container without a process: config.json has no process.args")
	}
	// Back to what berth's caller had: see nsenter, calm.
	if err := linux.Prctl(linux.PrSetTimerslack, 0, 0, 0, 0); err != nil {
		return linux.Wrap("reset timer slack", err)
	}
	creds.Umask(p)
	if err := creds.Landlock(p, s.warn); err != nil {
		return err
	}
	var listener *linux.Listener
	if p.SeccompNotify {
		listener = s.passListener()
	}
	return creds.LoadAndExec(p, s.path, p.Args, p.Env, listener)
}
