package state

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// readNames lists a directory from its beginning, size bytes at a time.
func readNames(fd, size int) ([]string, error) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return nil, err
	}
	buf := make([]byte, size)
	var names []string
	for {
		n, err := unix.ReadDirent(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return names, nil
		default:
			_, _, names = unix.ParseDirent(buf[:n], -1, names)
		}
	}
}

// readAt reads a whole regular file into buf, which it grows where needed.
func readAt(dirfd int, name string, buf []byte) ([]byte, error) {
	fd, err := openAt(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return buf, err
	}
	defer closeFD(fd)
	buf = buf[:0]
	for {
		buf = slices.Grow(buf, 4<<10)
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return buf, err
		case n == 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
			if len(buf) < cap(buf) {
				return buf, nil // of a regular file only the end is read short
			}
		}
	}
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func openDir(dirfd int, path string, flags int) (int, error) {
	return openAt(dirfd, path, flags|unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// openAt opens without the network poller, which os.Open would start: list reads
// thousands of small files.
func openAt(dirfd int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, path, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// closeFD closes a file descriptor that was not written to and returns -1, its
// new value.
func closeFD(fd int) int {
	if fd >= 0 {
		_ = unix.Close(fd) // nothing is lost with a directory or a file that was read
	}
	return -1
}
