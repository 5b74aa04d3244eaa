package launch

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Foreground serves a workload that berth stays with: it passes signals on,
// relays the terminal, collects orphans, and returns the exit status as a shell
// gives it (128 + signal).
type Foreground struct {
	signals chan os.Signal
	tty     *TTY
	ended   atomic.Bool
}

// The signals that are passed on are those that ask a program to do something. Job
// control (^Z) stops berth itself, as the shell expects. Not simply all, and not all at
// once: each costs two thread switches in the Go runtime, together 4 % of a short run.
var (
	// prompt may come as soon as berth has started, and most of them would end it.
	prompt = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2}
	// seldom are for a workload that has settled, the two by which systemd is halted
	// among them. The Go runtime drops them until then.
	seldom = []os.Signal{unix.SIGALRM, unix.SIGCONT, unix.SIGPWR, unix.SIGWINCH, unix.Signal(sigRTMin + 3)}
)

const (
	settled  = 100 * time.Millisecond
	sigRTMin = 34 // of libc, which keeps two for itself
)

// NewForeground starts to hold signals back if they are to be passed on, so that one
// that comes while the container is being made reaches the workload. tty may be nil.
func NewForeground(tty *TTY, signals bool) *Foreground {
	f := &Foreground{tty: tty}
	if signals {
		f.signals = make(chan os.Signal, 64)
		signal.Notify(f.signals, prompt...)
	}
	return f
}

// Subreaper makes orphans of the workload children of berth, for containers
// without a pid namespace of their own (PR_SET_CHILD_SUBREAPER, prctl(2)).
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	return nil
}

// Wait serves the started child until it ends.
func (f *Foreground) Wait(c *Child) (int, error) {
	pid := c.PID
	// The child is not reaped yet: this is its pidfd, and signals through it can
	// never reach a later owner of the number.
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		pidfd = -1 // before v5.3
	} else {
		defer unix.Close(pidfd)
	}
	if f.signals != nil {
		go f.forward(pid, pidfd)
		defer time.AfterFunc(settled, f.settle).Stop()
	}
	var ws unix.WaitStatus
	if f.tty == nil {
		err = reap(pid, &ws)
	} else {
		err = f.relay(pid, &ws)
	}
	// From here on the pid may belong to somebody else.
	f.ended.Store(true)
	if err != nil {
		return -1, fmt.Errorf("wait for process %d: %w", pid, err)
	}
	c.PID = 0
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return ws.ExitStatus(), nil
}

// relay serves the terminal and reaps.
func (f *Foreground) relay(pid int, ws *unix.WaitStatus) error {
	var done [2]int
	if err := unix.Pipe2(done[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(done[0])
	result := make(chan error, 1)
	go func() {
		result <- reap(pid, ws)
		unix.Close(done[1])
	}()
	f.tty.relay(done[0])
	return <-result
}

// reap waits for any child until the workload itself has ended: others are its
// orphans.
func reap(pid int, ws *unix.WaitStatus) error {
	for {
		got, err := unix.Wait4(-1, ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case got == pid:
			return nil
		}
	}
}

// settle lets the remaining signals through, and makes up for a terminal that has
// changed its size meanwhile.
func (f *Foreground) settle() {
	signal.Notify(f.signals, seldom...)
	if f.tty != nil {
		f.signals <- unix.SIGWINCH
	}
}

// forward passes signals to the workload; the size of its terminal follows berth's.
// After its end they are berth's own, which a hook may hold up. signal.Stop at that
// point would cost as much as Notify, for the sake of those few.
func (f *Foreground) forward(pid, pidfd int) {
	for s := range f.signals {
		n, ok := s.(unix.Signal)
		switch {
		case !ok:
		case f.ended.Load():
			signal.Reset(n)
			_ = unix.Kill(os.Getpid(), n) // this process exists
		case n == unix.SIGWINCH && f.tty != nil:
			f.tty.Resize()
		default:
			send(pid, pidfd, n)
		}
	}
}

// send signals the workload; that it has ended meanwhile is no error.
func send(pid, pidfd int, s unix.Signal) {
	if pidfd >= 0 {
		_ = unix.PidfdSendSignal(pidfd, s, nil, 0)
		return
	}
	_ = unix.Kill(pid, s)
}
