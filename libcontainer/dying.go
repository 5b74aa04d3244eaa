package libcontainer

import (
	"bytes"
	"strconv"
	"syscall"

	"berth/internal/readfile"
)

// dying tells whether SIGKILL is on its way to the init process: nothing holds it
// back (signal(7)), so the process runs no further, but it may not have had a
// processor since. What cannot be read counts as alive.
func (c *opened) dying() bool {
	status, err := readfile.Kernel("/proc/" + strconv.Itoa(c.state.PID) + "/status")
	return err == nil && killPending(status)
}

// killPending looks for SIGKILL among the pending signals of a thread and of its
// process (proc_pid_status(5)).
func killPending(status []byte) bool {
	for line := range bytes.Lines(status) {
		name, mask, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":\t"))
		if string(name) != "SigPnd" && string(name) != "ShdPnd" {
			continue
		}
		if set, err := strconv.ParseUint(string(mask), 16, 64); err == nil && set&(1<<(syscall.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}
