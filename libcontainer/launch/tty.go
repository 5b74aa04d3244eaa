package launch

import (
	"fmt"
	"os"

	"berth/libcontainer/wire"

	"golang.org/x/sys/unix"
)

// TTY connects the caller's terminal with the pty of a foreground workload.
type TTY struct {
	// socket takes the master from the init stage; peer is the init stage's end.
	socket, peer int
	master       int
	saved        *unix.Termios
}

// NewTTY makes the socket pair that the master comes over.
func NewTTY() (*TTY, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair for the terminal: %w", err)
	}
	return &TTY{socket: pair[0], peer: pair[1], master: -1}, nil
}

// ConsoleFD is the end the init stage sends the master over.
func (t *TTY) ConsoleFD() int { return t.peer }

// Receive takes the master, which the init stage has sent by the time it is
// ready, and puts the caller's terminal into raw mode.
func (t *TTY) Receive() error {
	unix.Close(t.peer)
	t.peer = -1
	fd, _, err := wire.ReceiveFD(t.socket)
	if err != nil {
		return fmt.Errorf("receive the terminal: %w", err)
	}
	t.master = fd
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	saved, err := unix.IoctlGetTermios(0, unix.TCGETS)
	if err != nil {
		return nil // standard input is no terminal: nothing to make raw
	}
	raw := *saved
	makeRaw(&raw)
	if err := unix.IoctlSetTermios(0, unix.TCSETSW, &raw); err != nil {
		return fmt.Errorf("make the terminal raw: %w", err)
	}
	t.saved = saved
	t.Resize()
	return nil
}

// makeRaw is cfmakeraw(3), but output goes through: the pty inside has done it.
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

// Resize gives the pty the size of the caller's terminal.
func (t *TTY) Resize() {
	ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return // no terminal, no size
	}
	// The workload may have ended and hung the pty up: there is nobody to resize for.
	_ = unix.IoctlSetWinsize(t.master, unix.TIOCSWINSZ, ws)
}

// Close restores the caller's terminal.
func (t *TTY) Close() {
	if t.saved != nil {
		// A terminal that has hung up needs no restoring.
		_ = unix.IoctlSetTermios(0, unix.TCSETSW, t.saved)
		t.saved = nil
	}
	for _, fd := range []int{t.socket, t.peer, t.master} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	t.socket, t.peer, t.master = -1, -1, -1
}

// relay copies both ways until done is readable (the workload has ended) and what
// it wrote before has been passed on.
func (t *TTY) relay(done int) {
	go t.input()
	buf := make([]byte, 32<<10)
	for {
		fds := []unix.PollFd{{Fd: int32(t.master), Events: unix.POLLIN}, {Fd: int32(done), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		n, err := unix.Read(t.master, buf)
		switch {
		case n > 0:
			if writeAll(1, buf[:n]) != nil {
				return
			}
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if fds[1].Revents != 0 {
				return
			}
		default:
			// EIO: nobody has the slave open any more. The workload may open it anew,
			// but only while it lives.
			wait := []unix.PollFd{{Fd: int32(done), Events: unix.POLLIN}}
			if n, err := unix.Poll(wait, 10); n > 0 || (err != nil && err != unix.EINTR) {
				return
			}
		}
	}
}

// input copies the caller's keys until its end of file or the end of berth.
func (t *TTY) input() {
	buf := make([]byte, 4096)
	for {
		n, err := os.Stdin.Read(buf)
		if n > 0 && writeAll(t.master, buf[:n]) != nil {
			return
		}
		if err != nil {
			// In raw mode this is a hang-up; of a file or pipe it is the end: the pty's
			// own end-of-file character tells the workload.
			_ = writeAll(t.master, []byte{4})
			return
		}
	}
}

// writeAll waits where fd takes no more at present: the input queue of the pty is full,
// or somebody has made berth's standard output non-blocking.
func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}
