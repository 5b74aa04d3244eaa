package boot

import (
	"runtime"
	"sync/atomic"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// passListener starts a second thread that will send the listener of the filter to
// the parent, and lets this one execute the workload when the parent has passed it
// on. Filters belong to threads, so the second is free to make system calls; it
// shares the fds, and needs no right to look into this process, as a parent that
// fetched the fd with pidfd_getfd(2) would (ptrace_scope, an exec by an ordinary
// user). execve ends it.
//
// This is the one place where the init stage has a second goroutine. It exists
// before limits are set, which may allow no further thread.
func (s *stage) passListener() *linux.Listener {
	// The first P stays with this thread until execve.
	runtime.GOMAXPROCS(2)
	l := new(linux.Listener)
	var runs atomic.Bool
	go func() {
		runtime.LockOSThread()
		runs.Store(true)
		fd, ok := l.FD()
		for ; !ok; fd, ok = l.FD() {
			pause()
		}
		if err := s.sendListener(fd); err != nil {
			s.step = "seccomp"
			s.fail(err)
		}
		l.Release()
	}()
	for !runs.Load() {
		pause()
	}
	return l
}

// pause gives another thread the time to get on.
func pause() {
	ts := syscall.Timespec{Nsec: 20_000}
	// It may end early; the caller looks again either way.
	_ = syscall.Nanosleep(&ts, nil)
}

func (s *stage) sendListener(fd int) error {
	if err := s.conn.Send(wire.KindListener, nil); err != nil {
		return linux.Wrap("send seccomp listener", err)
	}
	if err := wire.SendFD(s.conn.FD, fd, []byte{0}); err != nil {
		return linux.Wrap("send seccomp listener", err)
	}
	return s.conn.Expect(wire.KindProceed)
}
