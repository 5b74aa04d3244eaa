package console

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
)

// Attach gives the pty slave to uid, so that the workload can open its own
// terminal, and makes it the controlling terminal and standard input, output and
// error. It takes the fd over. The caller must be the leader of a session without
// a terminal (setsid(2)) and still have CAP_CHOWN.
func Attach(slave int, uid uint32) error {
	if err := chown(slave, uid); err != nil {
		return err
	}
	if _, err := linux.Ioctl(slave, syscall.TIOCSCTTY, 0); err != nil {
		return linux.Wrap("take the controlling terminal", err)
	}
	for fd := 0; fd <= 2; fd++ {
		var err error
		if fd == slave { // dup3 refuses equal fds; this one must lose its close-on-exec
			err = linux.SetCloexec(fd, false)
		} else {
			err = syscall.Dup3(slave, fd, 0)
		}
		if err != nil {
			return linux.Wrap("attach the terminal to fd "+strconv.Itoa(fd), err)
		}
	}
	if slave > 2 {
		closeFd(slave)
	}
	return nil
}

// ChownPipes gives those of standard input, output and error that are pipes to
// uid, so that the workload can open /dev/stdout and its like anew. Everything
// else is left alone: /dev/null, terminals and regular files belong to someone on
// the host. A pipe whose owner cannot be changed, as in a user namespace that does
// not map it, is no error. Call it before creds.User.
func ChownPipes(uid uint32) error {
	for fd := 0; fd <= 2; fd++ {
		var st syscall.Stat_t
		err := syscall.Fstat(fd, &st)
		if err == syscall.EBADF {
			continue // a closed stream stays closed
		}
		if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
			continue
		}
		if err == nil {
			err = chown(fd, uid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// chown changes the owner, not the group: for terminals that is tty. EPERM, EINVAL
// and EROFS, from ids that the user namespace does not map or a /dev that cannot
// be written, leave the owner as it is.
func chown(fd int, uid uint32) error {
	switch err := syscall.Fchown(fd, int(uid), -1); err {
	case nil, syscall.EPERM, syscall.EINVAL, syscall.EROFS:
		return nil
	default:
		return linux.Wrap("chown fd "+strconv.Itoa(fd)+" to uid "+strconv.FormatUint(uint64(uid), 10), err)
	}
}
