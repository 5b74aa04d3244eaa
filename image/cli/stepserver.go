package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// stepServer is a process of the runtime that runs one bundle after another (berth
// steps): it answers as soon as a container has ended, and removes it while the next
// step is made ready. When this process is gone, in whatever way, it kills the
// container that runs, removes it and ends.
type stepServer struct {
	cmd    *exec.Cmd
	conn   *net.UnixConn
	errors bytes.Buffer // what it says besides the output of steps
	log    *os.File
}

// startSteps starts a process; what the runtime notices is written to log, which the
// process makes.
func startSteps(r *runtime, log string) (*stepServer, error) {
	cmd, err := r.command("--log", log, "--log-format", "json", "--posix-exit", "steps")
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair to the runtime: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "runtime"), os.NewFile(uintptr(pair[1]), "steps")
	defer theirs.Close()
	defer ours.Close() // FileConn has a descriptor of its own
	s := &stepServer{cmd: cmd}
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, fmt.Errorf("socket pair to the runtime: %w", err)
	}
	s.conn, _ = conn.(*net.UnixConn) // of a Unix socket there is no other
	if s.log, err = os.OpenFile(log, os.O_RDONLY|os.O_CREATE, 0o600); err != nil {
		return nil, errors.Join(err, s.conn.Close())
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &s.errors
	// Not in the terminal's foreground group: ^C is for this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, s.conn.Close(), s.log.Close())
	}
	return s, nil
}

// run runs a bundle as a container. It returns when no process of it is left. An error
// means that the process of the runtime has gone.
func (s *stepServer) run(id, bundle string, out *pipes) (int, error) {
	rights := unix.UnixRights(int(out.stdout.Fd()), int(out.stderr.Fd()))
	_, _, err := s.conn.WriteMsgUnix([]byte(id+"\x00"+bundle), rights, nil)
	var answer [1]byte
	if err == nil {
		_, err = io.ReadFull(s.conn, answer[:])
	}
	if err != nil {
		return 0, fmt.Errorf("the runtime ended: %w", err)
	}
	return int(answer[0]), nil
}

// warnings are what the runtime has noticed since the last call: that a step ran out
// of memory, for one. Its errors are in the step's output.
func (s *stepServer) warnings() []string {
	raw, err := io.ReadAll(s.log)
	if err != nil {
		return nil // they are of use only beside an error
	}
	var list []string
	for line := range bytes.Lines(raw) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "warning" {
			list = append(list, entry.Msg)
		}
	}
	return list
}

// close waits until the process has removed its container and ended.
func (s *stepServer) close() error {
	err := errors.Join(s.conn.Close(), s.log.Close())
	e := s.cmd.Wait()
	if e == nil {
		return err
	}
	if said := strings.TrimSpace(strings.TrimPrefix(s.errors.String(), "berth: ")); said != "" {
		return fmt.Errorf("the runtime: %s", said)
	}
	// Not wrapped: its exit status is not that of this process.
	return fmt.Errorf("the runtime ended: %v", e) //nolint:errorlint // see above
}
