package libcontainer

import (
	"fmt"

	"berth/libcontainer/launch"

	"golang.org/x/sys/unix"
)

// terminal is where the workload's pty goes: to a console socket, to the caller's
// own terminal, or nowhere.
type terminal struct {
	tty     *launch.TTY
	console int // for the init stage; -1: none
	own     bool
}

func openTerminal(wanted, detach bool, socket string) (*terminal, error) {
	switch {
	case !wanted:
		return &terminal{console: -1}, nil
	case detach:
		fd, err := connectUnix(socket)
		if err != nil {
			return nil, fmt.Errorf("console socket %s: %w", socket, err)
		}
		return &terminal{console: fd, own: true}, nil
	}
	tty, err := launch.NewTTY()
	if err != nil {
		return nil, err
	}
	return &terminal{tty: tty, console: tty.ConsoleFD()}, nil
}

// receive takes the pty of a foreground workload.
func (t *terminal) receive() error {
	if t.tty == nil {
		return nil
	}
	return t.tty.Receive()
}

func (t *terminal) close() {
	if t.tty != nil {
		t.tty.Close()
	}
	if t.own {
		unix.Close(t.console)
	}
}
