package nsenter

import (
	"syscall"
	"unsafe"

	"berth/nsenter/first"
)

// Nofile returns the soft and hard RLIMIT_NOFILE that berth was started with.
func Nofile() (soft, hard uint64) { return first.Nofile() }

// Unblind lets the process open files again: stage 1 executes it with a soft
// RLIMIT_NOFILE of 0.
func Unblind() error {
	_, hard := first.Nofile()
	lim := [2]uint64{hard, hard}
	_, _, e := syscall.RawSyscall6(sysPrlimit64, 0, syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&lim)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
