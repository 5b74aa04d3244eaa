package nsenter

import (
	"syscall"
	"unsafe"
)

// readEvent reads one report; false at the end of the stream.
func readEvent(fd int) (event, bool, error) {
	var ev event
	buf := (*[unsafe.Sizeof(ev)]byte)(unsafe.Pointer(&ev))[:]
	for {
		n, err := syscall.Read(fd, buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return ev, false, err
		case n == 0:
			return ev, false, nil
		case n != len(buf):
			// A pipe write of 16 bytes is atomic (pipe(7)): the sender is not stage 1.
			return ev, false, syscall.EPROTO
		}
		return ev, true, nil
	}
}

// haveClone3 asks the kernel once: clone3 of size 0 is EINVAL where it exists
// (since v5.3), ENOSYS before, EPERM under old seccomp profiles of an outer runtime.
func haveClone3() bool {
	if clone3State == 0 {
		_, _, e := syscall.RawSyscall(sysClone3, 0, 0, 0)
		clone3State = 1
		if e == syscall.ENOSYS || e == syscall.EPERM {
			clone3State = 2
		}
	}
	return clone3State == 1
}

var clone3State int
