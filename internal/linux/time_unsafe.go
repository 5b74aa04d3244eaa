package linux

import (
	"syscall"
	"unsafe"
)

// Monotonic is clock_gettime(2) of CLOCK_MONOTONIC in nanoseconds.
func Monotonic() int64 {
	const clockMonotonic = 1
	var ts syscall.Timespec
	// No failure is possible: the clock exists and ts is writable.
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// PollFd is struct pollfd of poll(2); a negative FD is passed over.
type PollFd struct {
	FD              int32
	Events, Revents int16
}

// PollAll waits until one of fds has an event or timeout milliseconds passed
// (-1: for ever), whichever is first, and returns how many have one. It returns
// EINTR.
func PollAll(fds []PollFd, timeout int64) (int, error) {
	var ts *syscall.Timespec
	if timeout >= 0 {
		t := syscall.NsecToTimespec(timeout * 1e6)
		ts = &t
	}
	var p unsafe.Pointer
	if len(fds) > 0 {
		p = unsafe.Pointer(&fds[0])
	}
	n, _, e := syscall.Syscall6(sysPpoll, uintptr(p), uintptr(len(fds)), uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	return int(n), errno(e)
}
