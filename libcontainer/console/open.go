package console

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// Pty is a pseudo terminal. Both fds are close-on-exec and belong to the caller;
// -1 stands for one that is closed.
type Pty struct {
	Master, Slave int
	// Number is N of /dev/pts/N.
	Number int
}

// Open makes a pty in the devpts mounted on /dev/pts below the directory fd root.
//
// The container's image may have put anything under the names involved
// (CVE-2025-52565), so both the directory and the master must lie on devpts, and
// the slave comes from the master, not from a path.
func Open(root int) (*Pty, error) {
	p, err := open(root)
	return p, linux.Wrap("open a terminal", err)
}

func open(root int) (*Pty, error) {
	devpts, err := safepath.OpenInRoot(root, "dev/pts", linux.O_PATH|syscall.O_DIRECTORY)
	if err != nil {
		return nil, linux.Wrap("/dev/pts", err)
	}
	defer closeFd(devpts)
	if err := onDevpts(devpts); err != nil {
		return nil, linux.Wrap("/dev/pts", err)
	}
	master, err := linux.Openat(devpts, "ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, linux.Wrap("/dev/pts/ptmx", err)
	}
	p := &Pty{Master: master, Slave: -1}
	if err := p.openSlave(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pty) openSlave() error {
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
	p.Slave, err = linux.PtyPeer(p.Master, syscall.O_RDWR|syscall.O_NOCTTY)
	return linux.Wrap("slave of the pty", err)
}

// Resize sets the size, in characters.
func (p *Pty) Resize(width, height uint16) error {
	return linux.Wrap("size of the terminal", linux.SetWinsize(p.Slave, linux.Winsize{Rows: height, Cols: width}))
}

// Send passes the master over the Unix socket sock, with the slave's path inside
// the container as payload, as the receivers of a console socket expect, and
// closes it here: the terminal hangs up when the receiver closes its own.
func (p *Pty) Send(sock int) error {
	name := "/dev/pts/" + strconv.Itoa(p.Number)
	if err := wire.SendFD(sock, p.Master, []byte(name)); err != nil {
		return linux.Wrap("send the terminal over the console socket", err)
	}
	closeFd(p.Master)
	p.Master = -1
	return nil
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
