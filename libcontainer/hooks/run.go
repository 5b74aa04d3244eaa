package hooks

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Run runs one hook and waits for its end, at most h.Timeout seconds; then it and
// its process group are killed. Its environment is h.Env and nothing else. The
// error names the hook's path and holds the beginning of what it wrote.
//
// The hook's end counts, not the end of its output: what it leaves running in the
// background is not waited for.
func Run(h *wire.Hook, state string) error {
	stdin, err := stateFile(state)
	if err != nil {
		return linux.Wrap(h.Path+": state for standard input", err)
	}
	defer closeFd(stdin)
	r := run{out: capture{fd: -1}, err: capture{fd: -1}, pidfd: -1}
	defer r.close()
	if err := r.start(h, stdin); err != nil {
		return linux.Wrap(h.Path, err)
	}
	status, timedOut, err := r.wait(h.Timeout)
	switch {
	case err != nil:
		return linux.Wrap(h.Path+": wait for its end", err)
	case timedOut:
		return &Error{Path: h.Path, Cause: "timed out after " + strconv.Itoa(h.Timeout) + " s", Stdout: r.out.text(), Stderr: r.err.text()}
	case status.Exited() && status.ExitStatus() == 0:
		return nil
	}
	return &Error{Path: h.Path, Cause: ended(status), Stdout: r.out.text(), Stderr: r.err.text()}
}

func ended(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "killed by signal " + strconv.Itoa(int(status.Signal())) + " (" + status.Signal().String() + ")"
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// Error is a hook that ran and did not succeed.
type Error struct {
	Path, Cause string
	// Stdout and Stderr are the first 4 KiB of each.
	Stdout, Stderr string
}

func (e *Error) Error() string {
	text := e.Path + ": " + e.Cause
	if e.Stdout != "" {
		text += ", stdout: " + e.Stdout
	}
	if e.Stderr != "" {
		text += ", stderr: " + e.Stderr
	}
	return text
}

// stateFile returns a memory file with state, at its beginning: unlike a pipe it
// takes any length without a reader.
func stateFile(state string) (int, error) {
	const mfdNoexecSeal = 0x8 // since v6.3, which complains when it is missing
	fd, err := linux.MemfdCreate("oci-state", linux.MfdCloexec|mfdNoexecSeal)
	if err == syscall.EINVAL {
		fd, err = linux.MemfdCreate("oci-state", linux.MfdCloexec)
	}
	if err != nil {
		return -1, err
	}
	data := []byte(state)
	for off := 0; off < len(data); {
		n, err := syscall.Pwrite(fd, data[off:], int64(off))
		if err != nil && err != syscall.EINTR {
			closeFd(fd)
			return -1, err
		}
		off += max(n, 0)
	}
	return fd, nil
}

// closeFd closes an fd through which nothing was written that close could lose.
func closeFd(fd int) {
	if fd >= 0 {
		_ = syscall.Close(fd)
	}
}
