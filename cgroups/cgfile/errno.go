package cgfile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Gone says that err means a removed cgroup: its directory gives ENOENT, a file of it
// that is still open ENODEV.
func Gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// Denied says that err is one a rootless caller has to expect.
func Denied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
}

// Missing says that a control file is not there.
func Missing(err error) bool { return errors.Is(err, unix.ENOENT) }
