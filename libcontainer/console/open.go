package console

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Pty is a pseudo terminal; both fds are close-on-exec and belong to the caller.
type Pty struct {
	Master, Slave int
	// Number is N of /dev/pts/N.
	Number int
}

// Open makes a pty in the devpts instance whose root directory devpts is an fd
// of (O_PATH will do), sized as t says when it says so.
//
// The container's image may have put anything under the names involved
// (CVE-2025-52565), so both the directory and the master must lie on devpts, and
// the slave comes from the master, not from a path.
func Open(devpts int, t *wire.Terminal) (*Pty, error) {
	if err := onDevpts(devpts); err != nil {
		return nil, linux.Wrap("open a terminal: /dev/pts", err)
	}
	master, err := linux.Openat(devpts, "ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, linux.Wrap("open a terminal: /dev/pts/ptmx", err)
	}
	p := &Pty{Master: master, Slave: -1}
	if err := p.setup(t); err != nil {
		p.Close()
		return nil, linux.Wrap("open a terminal", err)
	}
	return p, nil
}

func (p *Pty) setup(t *wire.Terminal) error {
	if err := onDevpts(p.Master); err != nil {
		return linux.Wrap("/dev/pts/ptmx", err)
	}
	if err := linux.UnlockPty(p.Master); err != nil {
		return linux.Wrap("unlock the pty", err)
	}
	var err error
	if p.Number, err = linux.PtyNumber(p.Master); err != nil {
		return linux.Wrap("number of the pty", err)
	}
	if p.Slave, err = linux.PtyPeer(p.Master, syscall.O_RDWR|syscall.O_NOCTTY); err != nil {
		return linux.Wrap("slave of the pty", err)
	}
	if t.Width == 0 && t.Height == 0 {
		return nil
	}
	return linux.Wrap("size of the pty", linux.SetWinsize(p.Slave, linux.Winsize{Rows: t.Height, Cols: t.Width}))
}

// Close closes what is open of the pty.
func (p *Pty) Close() {
	closeFd(p.Master)
	closeFd(p.Slave)
	p.Master, p.Slave = -1, -1
}

var errNotDevpts = errors.New("not a devpts file system")

func onDevpts(fd int) error {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &st); err != nil {
		return err
	}
	if st.Type != linux.DevptsMagic {
		return errNotDevpts
	}
	return nil
}

// closeFd closes an fd through which nothing was written that close could lose.
func closeFd(fd int) {
	if fd >= 0 {
		_ = syscall.Close(fd)
	}
}
