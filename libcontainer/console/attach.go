package console

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Send passes the master over the Unix socket sock, with the slave's path inside
// the container as payload, which is the console-socket protocol of runc. The
// caller's copy stays open.
func (p *Pty) Send(sock int) error {
	name := "/dev/pts/" + strconv.Itoa(p.Number)
	return linux.Wrap("send the terminal over the console socket", wire.SendFD(sock, p.Master, []byte(name)))
}

// Chown gives the slave to uid, so that the workload can open its own terminal.
// devpts made it for the uid that opened the master. The group (tty) stays.
func (p *Pty) Chown(uid uint32) error {
	return linux.Wrap("chown the terminal to uid "+strconv.FormatUint(uint64(uid), 10), syscall.Fchown(p.Slave, int(uid), -1))
}

// Attach makes the slave the controlling terminal and standard input, output and
// error of the caller, who must be the leader of a session without a terminal
// (setsid(2)), and closes both fds of the pty.
func (p *Pty) Attach() error {
	if _, err := linux.Ioctl(p.Slave, syscall.TIOCSCTTY, 0); err != nil {
		return linux.Wrap("take the controlling terminal", err)
	}
	slave := p.Slave
	for fd := 0; fd <= 2; fd++ {
		if slave == fd { // dup3 refuses equal fds; this one must lose its close-on-exec
			if err := linux.SetCloexec(fd, false); err != nil {
				return linux.Wrap("attach the terminal", err)
			}
			p.Slave = -1
			continue
		}
		if err := syscall.Dup3(slave, fd, 0); err != nil {
			return linux.Wrap("attach the terminal", err)
		}
		if p.Master == fd {
			p.Master = -1 // replaced
		}
	}
	p.Close()
	return nil
}

// ChownPipes gives those of standard input, output and error that are pipes to
// uid, so that the workload can open /dev/stdout and its like anew. Everything
// else is left alone: /dev/null, terminals and regular files belong to someone on
// the host. A pipe whose owner cannot be changed, as in a user namespace that does
// not map it, is no error.
func ChownPipes(uid uint32) error {
	for fd := 0; fd <= 2; fd++ {
		var st syscall.Stat_t
		err := syscall.Fstat(fd, &st)
		if err == syscall.EBADF || (err == nil && (st.Mode&syscall.S_IFMT != syscall.S_IFIFO || st.Uid == uid)) {
			continue
		}
		if err == nil {
			err = syscall.Fchown(fd, int(uid), -1)
		}
		switch err {
		case nil, syscall.EPERM, syscall.EINVAL, syscall.EROFS:
		default:
			return linux.Wrap("chown fd "+strconv.Itoa(fd)+" to uid "+strconv.FormatUint(uint64(uid), 10), err)
		}
	}
	return nil
}
