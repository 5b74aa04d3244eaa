package hooks

import "syscall"

const maxCapture = 4096

// capture is the reading end of a hook's output: it keeps the beginning and
// discards the rest, so that the hook never blocks.
type capture struct {
	fd   int // -1: not open, or at its end
	kept []byte
}

// open makes the pipe and returns its writing end, which the caller closes.
func (c *capture) open() (int, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return -1, err
	}
	c.fd = fds[0]
	if err := syscall.SetNonblock(c.fd, true); err != nil {
		closeFd(fds[1])
		return -1, err
	}
	return fds[1], nil
}

// drain reads what is there, up to the capacity of a pipe: a hook that writes
// without end must not keep its caller from looking at the clock.
func (c *capture) drain() {
	var buf [maxCapture]byte
	for i := 0; i < 16 && c.fd >= 0; i++ {
		n, err := syscall.Read(c.fd, buf[:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return
		case err != nil || n == 0:
			closeFd(c.fd)
			c.fd = -1
		default:
			c.kept = append(c.kept, buf[:min(n, maxCapture-len(c.kept))]...)
		}
	}
}

// text returns what was kept without the line ends behind it.
func (c *capture) text() string {
	s := c.kept
	for len(s) > 0 && (s[len(s)-1] == '\n' || s[len(s)-1] == '\r') {
		s = s[:len(s)-1]
	}
	return string(s)
}
