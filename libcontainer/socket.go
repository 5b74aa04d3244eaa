package libcontainer

import (
	"fmt"
	"path/filepath"
	"strconv"

	"berth/libcontainer/state"

	"golang.org/x/sys/unix"
)

// socketAddress names a socket by its directory's fd, so that the path may be
// longer than the 108 bytes of struct sockaddr_un (unix(7)).
func socketAddress(dirfd int, name string) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dirfd) + "/" + name}
}

// connectUnix connects to the stream socket at path, of any length.
func connectUnix(path string) (int, error) {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	return connectAt(dir, filepath.Base(path))
}

func connectAt(dirfd int, name string) (int, error) {
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(sock, socketAddress(dirfd, name)); err != nil {
		unix.Close(sock)
		return -1, err
	}
	return sock, nil
}

// listenStart makes the socket on which the init stage waits for `berth start`.
func listenStart(dir *state.Dir) (int, error) {
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("start socket: %w", err)
	}
	if err = unix.Bind(sock, socketAddress(dir.FD(), state.StartSocket)); err == nil {
		err = unix.Listen(sock, 1)
	}
	if err != nil {
		unix.Close(sock)
		return -1, fmt.Errorf("start socket in %s: %w", dir.Path, err)
	}
	return sock, nil
}
