package creds

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
)

// MakeCwd creates the directory cwd below the directory fd root where it is
// missing, with mode 0755 and owned by the caller. Call it before User.
func MakeCwd(root int, cwd string) error {
	fd, err := safepath.MkdirAll(root, cwd, 0o755)
	if err != nil {
		return linux.Wrap("create cwd ("+strconv.Quote(cwd)+") set in config.json", err)
	}
	closeFd(fd)
	return nil
}

// Chdir enters cwd and verifies that it lies inside the container's root. Call it
// as the container's user, who needs search permission there.
func Chdir(cwd string) error {
	object := "chdir to cwd (" + strconv.Quote(cwd) + ") set in config.json failed"
	if err := syscall.Chdir(cwd); err != nil {
		return linux.Wrap(object, err)
	}
	if err := verifyCwd(); err != nil {
		return linux.Wrap(object, err)
	}
	return nil
}

var errOutside = errors.New("the directory lies outside the container's root")

// verifyCwd reports a working directory that cannot be reached from the root.
// getcwd(2) then returns a name that does not begin with a slash
// ("(unreachable)/…"): a cwd of /proc/self/fd/N, with N a directory fd of the host
// that was left open, was an escape (CVE-2024-21626).
func verifyCwd() error {
	buf := make([]byte, syscall.PathMax)
	n, err := syscall.Getcwd(buf)
	switch {
	case err == syscall.ENOENT:
		return linux.Wrap("the working directory has been removed", err)
	case err != nil:
		return linux.Wrap("getcwd", err)
	case n < 1 || buf[0] != '/':
		return errOutside
	}
	return nil
}
