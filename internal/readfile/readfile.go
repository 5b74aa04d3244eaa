// Package readfile reads small files with plain system calls. os.ReadFile starts
// the runtime's network poller for the first file it opens (two fds, six system
// calls, and wake-ups later on), which a verb that lives for a few milliseconds
// would pay for nothing.
//
// Runs: parent.
package readfile

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ErrTooLarge reports a file larger than the limit.
var ErrTooLarge = errors.New("file is too large")

// Read returns the content of a file of at most limit bytes. Errors are
// *fs.PathError, as those of package os.
func Read(name string, limit int) ([]byte, error) {
	fd, err := open(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	data, err := readAll(fd, limit)
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// Kernel reads a file of procfs, sysfs or a cgroup.
func Kernel(name string) ([]byte, error) { return Read(name, 64<<10) }

func open(name string) (int, error) {
	for {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func readAll(fd, limit int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	// One byte more than it should have, so that one read tells that this is all;
	// kernel files say 0.
	buf := make([]byte, 0, max(512, min(int(st.Size), limit)+1))
	for {
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		}
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return nil, ErrTooLarge
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
