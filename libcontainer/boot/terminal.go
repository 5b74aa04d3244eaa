package boot

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/console"
)

// openConsole takes a pty from the container's own devpts, sends its master over
// the console socket and binds its slave over /dev/console.
func (s *stage) openConsole() error {
	t := &s.plan.Terminal
	if t.ConsoleFD < 0 {
		return nil
	}
	devpts, err := s.openDevpts()
	if err != nil {
		return err
	}
	p, err := console.Open(devpts, t)
	// An O_PATH fd holds nothing that close could lose.
	_ = syscall.Close(devpts)
	if err != nil {
		return err
	}
	s.pty = p
	if err := p.Chown(s.plan.Process.UID); err != nil {
		return err
	}
	if err := p.Send(t.ConsoleFD); err != nil {
		return err
	}
	if s.root == nil {
		return nil
	}
	return s.root.MountConsole(p.Slave)
}

// openDevpts opens /dev/pts of the container: below the prepared root that is not
// entered yet, below the host path of a container without a mount namespace, or,
// in an exec, below the root the process has joined.
func (s *stage) openDevpts() (int, error) {
	if s.root != nil {
		return openPts(s.root.FD())
	}
	path := "/"
	if !s.plan.Exec {
		path = s.plan.Rootfs.Path
	}
	root, err := linux.Openat(linux.AT_FDCWD, path, linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return -1, linux.Wrap("open "+path, err)
	}
	fd, err := openPts(root)
	// An O_PATH fd holds nothing that close could lose.
	_ = syscall.Close(root)
	return fd, err
}

func openPts(root int) (int, error) {
	fd, err := safepath.OpenInRoot(root, "/dev/pts", linux.O_PATH|syscall.O_DIRECTORY)
	return fd, linux.Wrap("open /dev/pts of the container", err)
}

// attachTerminal makes the pty the controlling terminal and the standard streams;
// without one the pipes among the streams are given to the workload's user.
func (s *stage) attachTerminal() error {
	if s.pty != nil {
		return s.pty.Attach()
	}
	return console.ChownPipes(s.plan.Process.UID)
}
