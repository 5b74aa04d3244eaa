package linux

import (
	"syscall"
	"unsafe"
)

// Events of poll(2).
const (
	PollIn  = 0x1
	PollErr = 0x8
	PollHup = 0x10
)

// Poll waits until fd is readable, hung up, or timeout milliseconds passed (-1:
// for ever). It returns the events, 0 after a timeout. EINTR starts the wait anew.
func Poll(fd int, timeout int) (int, error) {
	type pollfd struct {
		fd              int32
		events, revents int16
	}
	p := pollfd{fd: int32(fd), events: PollIn}
	var ts *syscall.Timespec
	if timeout >= 0 {
		t := syscall.NsecToTimespec(int64(timeout) * 1e6)
		ts = &t
	}
	for {
		// ppoll exists on every architecture, poll does not.
		n, _, e := syscall.Syscall6(sysPpoll, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(ts)), 0, 0, 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 || n == 0 {
			return 0, errno(e)
		}
		return int(p.revents), nil
	}
}
