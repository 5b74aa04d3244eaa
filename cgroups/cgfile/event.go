package cgfile

import (
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Await waits until key of cgroup.events has the value want, and tells whether it
// came to that in time. The kernel reports each change of the file by POLLPRI.
func (d *Dir) Await(key string, want uint64, bound time.Duration) (bool, error) {
	const name = "cgroup.events"
	fail := func(op string, err error) (bool, error) {
		return false, fmt.Errorf("%s %s: %w", op, path.Join(d.Path, name), err)
	}
	fd, err := d.OpenFile(name, unix.O_RDONLY)
	if err != nil {
		return fail("open", err)
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	end := time.Now().Add(bound)
	buf := make([]byte, 256)
	for {
		// Reading through the polled fd is what re-arms the event.
		n, err := unix.Pread(fd, buf, 0)
		if err != nil {
			return fail("read", err)
		}
		if v, ok := Key(string(buf[:n]), key); ok && v == want {
			return true, nil
		}
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		if _, err := unix.Poll(p, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return fail("poll", err)
		}
	}
}
