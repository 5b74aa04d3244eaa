package cgfile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// removeBound is how long processes may take to leave their cgroup after SIGKILL.
const removeBound = 2 * time.Second

// AddPid moves a process into d.
func (d *Dir) AddPid(pid int) error { return d.Write("cgroup.procs", strconv.Itoa(pid)) }

// KillAll sends SIGKILL to whatever list returns until it returns nothing. freeze
// stops the processes meanwhile, or a fork bomb would run ahead of the list, and
// pids cannot be reused between being read and being signalled; thawing lets a
// frozen process die. An error names the processes that do not die.
func KillAll(list func() ([]int, error), freeze func(bool)) error {
	// Freezing the caller would stop it for good.
	pids, err := list()
	if err != nil {
		return err
	}
	if slices.Contains(pids, os.Getpid()) {
		return errors.New("kill cgroup: the caller itself is in it")
	}
	end := time.Now().Add(removeBound)
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 50*time.Millisecond) {
		freeze(true)
		pids, err := list()
		if err == nil {
			err = signalAll(pids)
		}
		freeze(false)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v outlive SIGKILL", pids)
		}
		time.Sleep(wait)
	}
}

func signalAll(pids []int) error {
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return nil
}
