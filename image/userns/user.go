package userns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/idmap"

	"golang.org/x/sys/unix"
)

// Single tells whether one id is all there is.
func Single() bool {
	uids, _, err := Maps()
	return err == nil && len(uids) == 1 && uids[0].Size == 1
}

// Maps are those of this process's user namespace. The error is of a kernel without
// them.
func Maps() (uids, gids []idmap.Map, err error) {
	if uids, err = idmap.Read("/proc/self/uid_map"); err != nil {
		return nil, nil, err
	}
	gids, err = idmap.Read("/proc/self/gid_map")
	return uids, gids, err
}

// enterUser runs the program in a child that is root of a user namespace, hands it
// the signals that come, and ends with it.
func enterUser(o *Options) error {
	uids, gids := idmap.OfCaller()
	if len(uids) == 1 && o.Note != nil {
		o.Note(fmt.Sprintf("one id is all this user has: every file of an image will belong to %d"+
			" (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, and install newuidmap and newgidmap)", os.Geteuid()))
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	// The death signal is that of the thread which forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := startChild(o, func(pid int) error { return idmap.Write(pid, uids, gids) })
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// It may have ended meanwhile.
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			return status(cmd, err)
		}
	}
}

// startChild starts the program in new namespaces and calls maps for it.
func startChild(o *Options, maps func(pid int) error) (*exec.Cmd, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	const first = 3 // of ExtraFiles, os/exec
	files := []*os.File{read}
	args := slices.Clone(os.Args)
	for _, k := range o.Keep {
		if k.FD < 0 {
			continue
		}
		if err := renumber(args, k.Flag, first+len(files)); err != nil {
			return nil, errors.Join(err, read.Close(), write.Close())
		}
		// Not closed: it stays the caller's.
		files = append(files, os.NewFile(uintptr(k.FD), k.Flag))
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: mark(args, first), Env: os.Environ(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: files,
		SysProcAttr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM},
	}
	err = cmd.Start()
	closed := read.Close()
	if err != nil {
		return nil, errors.Join(namespaceError(err), closed, write.Close())
	}
	if err = maps(cmd.Process.Pid); err == nil {
		_, err = write.Write([]byte{0})
	}
	if err = errors.Join(err, closed, write.Close()); err != nil {
		// Without its byte the child ends by itself.
		return nil, errors.Join(fmt.Errorf("enter a user namespace: %w", err), ignore(cmd.Wait()))
	}
	return cmd, nil
}

// ignore drops the exit status of a child that was told to give up.
func ignore(error) error { return nil }

// renumber gives the flag --name=N another number.
func renumber(args []string, name string, fd int) error {
	for i, a := range args {
		if strings.HasPrefix(a, "--"+name+"=") {
			args[i] = "--" + name + "=" + strconv.Itoa(fd)
			return nil
		}
	}
	return fmt.Errorf("no flag --%s=N among the arguments", name)
}

func status(cmd *exec.Cmd, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return Ended(0)
	case !errors.As(err, &exit):
		return err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Ended(128 + int(ws.Signal()))
	}
	return Ended(exit.ExitCode())
}

// namespaceError says what a user can do where making a namespace is forbidden.
func namespaceError(err error) error {
	return &refused{fmt.Errorf("make a user namespace: %w", err)}
}

type refused struct{ error }

func (r *refused) Unwrap() error { return r.error }

// Hint is the line after the error.
func (r *refused) Hint() string {
	if errors.Is(r.error, syscall.EPERM) || errors.Is(r.error, syscall.ENOSPC) || errors.Is(r.error, syscall.EACCES) {
		return "'berth info' tells what keeps users from making user namespaces here"
	}
	return ""
}
