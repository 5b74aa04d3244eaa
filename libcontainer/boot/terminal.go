package boot

import (
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/console"
)

// openConsole takes a pty from the container's own devpts, sends its master over
// the console socket and binds its slave over /dev/console.
func (s *stage) openConsole() error {
	t := &s.plan.Terminal
	if t.ConsoleFD < 0 {
		return nil
	}
	pty, err := s.openPty()
	if err != nil {
		return err
	}
	if t.Width != 0 || t.Height != 0 {
		if err := pty.Resize(t.Width, t.Height); err != nil {
			return err
		}
	}
	if err := pty.Send(t.ConsoleFD); err != nil {
		return err
	}
	s.slave = pty.Slave
	if s.root == nil {
		return nil
	}
	return s.root.MountConsole(s.slave)
}

// openPty makes a pty below the container's root directory: the prepared one that
// is not entered yet, the host path of a container without a mount namespace, or,
// in an exec, the root the process has joined.
func (s *stage) openPty() (*console.Pty, error) {
	if s.root != nil {
		return console.Open(s.root.FD())
	}
	path := "/"
	if !s.plan.Exec {
		path = s.plan.Rootfs.Path
	}
	root, err := linux.Openat(linux.AT_FDCWD, path, linux.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, linux.Wrap("open "+path, err)
	}
	pty, err := console.Open(root)
	// An O_PATH fd holds nothing that close could lose.
	_ = syscall.Close(root)
	return pty, err
}

// attachTerminal makes the pty the controlling terminal and the standard streams;
// without one the pipes among the streams are given to the workload's user.
func (s *stage) attachTerminal() error {
	if s.slave >= 0 {
		return console.Attach(s.slave, s.plan.Process.UID)
	}
	return console.ChownPipes(s.plan.Process.UID)
}
