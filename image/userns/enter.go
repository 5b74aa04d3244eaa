package userns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/idmap"

	"golang.org/x/sys/unix"
)

// Options of Enter.
type Options struct {
	// Mounts asks for a private mount namespace for root, too. Users get one anyway.
	Mounts bool
	// Keep are descriptors that the process has because of a flag of its command line.
	Keep []FD
	// Note is told when a single id can be mapped. nil: nobody.
	Note func(string)
}

// FD is a descriptor, named by a flag --Flag=N, whose number Enter may change. Those
// below 0 are ignored.
type FD struct {
	Flag string
	FD   int
}

// Ended is the exit status of the child in which the program ran: there is nothing
// left to say.
type Ended int

func (e Ended) Error() string { return "exit status " + strconv.Itoa(int(e)) }

// gateFlag stands first among the arguments of a process that Enter has executed. Its
// value is the pipe that says when the maps are written, or -1.
const gateFlag = "--userns-gate="

// entered tells that this process was executed by Enter.
var entered bool

// Begin is called first thing in main. It returns the arguments without what Enter
// has added; in the child of a user it waits for the maps and executes the program
// once more, which gives it the capabilities of the namespace's root
// (capabilities(7), "Capabilities and execution of programs by root").
func Begin(args []string) ([]string, error) {
	if len(args) < 2 || !strings.HasPrefix(args[1], gateFlag) {
		return args, nil
	}
	entered = true
	gate, err := strconv.Atoi(args[1][len(gateFlag):])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", args[1], err)
	}
	if gate < 0 {
		return slices.Delete(slices.Clone(args), 1, 2), settle()
	}
	// The parent writes a byte when it is done, and goes away without one otherwise.
	if n, err := unix.Read(gate, make([]byte, 1)); n != 1 {
		return nil, errors.Join(errors.New("the id maps were not written"), err)
	}
	unix.CloseOnExec(gate)
	return nil, again(args, nil)
}

// settle undoes what gaining capabilities did to a process (commit_creds in
// kernel/cred.c): nobody may look into it, and it does not notice its parent's death.
// As in a child the parent is a user's process, this is no loss.
func settle() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_DUMPABLE: %w", err)
	}
	if !idmap.Inside() {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	return nil
}

// Enter returns when this process can unpack layers and, with o.Mounts, mount: at
// once if it already can. Else it executes the program again with the arguments of
// os.Args, and does not return but with an error; Ended is the good one. Call it
// before anything has been changed.
func Enter(o Options) error {
	switch {
	case entered:
		return nil
	case os.Geteuid() != 0:
		return enterUser(&o)
	case o.Mounts:
		// execve(2) keeps the namespace of the thread that calls it.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		if err := private(); err != nil {
			return err
		}
		return again(mark(os.Args, -1), o.Keep)
	}
	return nil
}

// private keeps the mounts of a new namespace from the host's.
func private() error {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cut the mounts off from the host's: %w", err)
	}
	return nil
}

// again executes this program with the arguments, the last time.
func again(args []string, keep []FD) error {
	for _, k := range keep {
		if k.FD < 0 {
			continue
		}
		if _, err := unix.FcntlInt(uintptr(k.FD), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep fd %d: %w", k.FD, err)
		}
	}
	if err := syscall.Exec("/proc/self/exe", mark(args, -1), os.Environ()); err != nil {
		return fmt.Errorf("execute the image program again: %w", err)
	}
	return nil
}

// mark sets the gate in arguments.
func mark(args []string, gate int) []string {
	if len(args) > 1 && strings.HasPrefix(args[1], gateFlag) {
		args = slices.Delete(slices.Clone(args), 1, 2)
	}
	return slices.Insert(slices.Clone(args), 1, gateFlag+strconv.Itoa(gate))
}
