package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"berth/libcontainer"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// stepsFD is the socket that the image program talks by.
const stepsFD = 3

// steps runs the bundles of RUN steps for the image program, one after the other: to
// start a process for each takes longer than many a command. For each the socket
// (SOCK_SEQPACKET) brings one message,
//
//	ID NUL BUNDLE    with two descriptors, for stdout and stderr
//
// and takes one byte, the exit status, once no process of the container is left and
// both descriptors are closed. The container is removed after that, while the image
// program makes the next step ready. At the end of file steps returns; a container that
// runs then is killed.
func (b *berth) steps() *cli.Command {
	return &cli.Command{
		Name:   "steps",
		Usage:  "run the RUN steps of a build",
		Hidden: true, // for the image program
		Action: func(*cli.Context) error {
			unix.CloseOnExec(stepsFD)
			// A container of a build, and nobody asks about one after a crash of the machine.
			b.rt.Unsynced = true
			return b.serveSteps()
		},
	}
}

func (b *berth) serveSteps() error {
	own, err := holdOutput()
	if err != nil {
		return err
	}
	requests := make(chan *step, 1)
	gone := make(chan struct{})
	var lost error
	go func() {
		defer close(requests)
		defer close(gone)
		for {
			s, err := receiveStep(stepsFD)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					lost = err
				}
				return
			}
			requests <- s
		}
	}()
	var failed error
	for s := range requests {
		failed = errors.Join(failed, b.runStep(s, own, gone))
	}
	return errors.Join(failed, lost)
}

// runStep runs one bundle. Its error is that of removing the container: all others are
// part of the step's output.
func (b *berth) runStep(s *step, own [2]int, gone <-chan struct{}) error {
	if err := pointOutput([2]int{s.stdout, s.stderr}); err != nil {
		return err
	}
	unix.Close(s.stdout)
	unix.Close(s.stderr)
	var failed error
	answered := false
	answer := func(code int) {
		answered = true
		failed = errors.Join(pointOutput(own), sendStatus(code))
	}
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-gone:
			b.killStep(s.id, over)
		case <-over:
		}
	}()
	_, err := b.rt.Run(libcontainer.RunOptions{
		CreateOptions: libcontainer.CreateOptions{ID: s.id, Bundle: s.bundle},
		Ended:         answer,
	})
	close(over)
	<-stopped
	if answered {
		return errors.Join(failed, err)
	}
	b.log.Error(err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(os.Stderr, "hint: "+hint)
	}
	answer(exitCode(err, b.posixExit))
	return failed
}

// killStep removes the container until its step is over: it may not have been there
// yet.
func (b *berth) killStep(id string, over <-chan struct{}) {
	for {
		_ = b.rt.Delete(id, true) // the end of the step tells whether it has worked
		select {
		case <-over:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// step is one request.
type step struct {
	id, bundle     string
	stdout, stderr int
}

// receiveStep waits for a request; io.EOF when the image program has gone.
func receiveStep(fd int) (*step, error) {
	var text [8192]byte
	control := make([]byte, unix.CmsgSpace(2*4))
	n, nc, flags, _, err := unix.Recvmsg(fd, text[:], control, unix.MSG_CMSG_CLOEXEC)
	switch {
	case errors.Is(err, unix.EINTR):
		return receiveStep(fd)
	case err != nil:
		return nil, fmt.Errorf("receive step: %w", err)
	case n == 0:
		return nil, io.EOF
	}
	id, bundle, ok := bytes.Cut(text[:n], []byte{0})
	if !ok || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return nil, errors.New("receive step: message is malformed")
	}
	messages, err := unix.ParseSocketControlMessage(control[:nc])
	if err != nil || len(messages) != 1 {
		return nil, errors.New("receive step: message has no descriptors")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 2 {
		return nil, errors.New("receive step: message has not two descriptors")
	}
	return &step{id: string(id), bundle: string(bundle), stdout: fds[0], stderr: fds[1]}, nil
}

func sendStatus(code int) error {
	err := unix.Sendto(stepsFD, []byte{byte(code)}, unix.MSG_NOSIGNAL, nil)
	if errors.Is(err, unix.EPIPE) {
		return nil // nobody wants to know any more
	}
	if err != nil {
		return fmt.Errorf("send exit status: %w", err)
	}
	return nil
}

// holdOutput keeps this process's own stdout and stderr for between the steps.
func holdOutput() (own [2]int, err error) {
	for i := range own {
		if own[i], err = unix.FcntlInt(uintptr(i+1), unix.F_DUPFD_CLOEXEC, stepsFD+1); err != nil {
			return own, fmt.Errorf("keep descriptor %d: %w", i+1, err)
		}
	}
	return own, nil
}

// pointOutput makes descriptors this process's stdout and stderr, and the container's.
func pointOutput(fds [2]int) error {
	for i, fd := range fds {
		if err := unix.Dup3(fd, i+1, 0); err != nil {
			return fmt.Errorf("redirect descriptor %d: %w", i+1, err)
		}
	}
	return nil
}
