package nsenter

import (
	"syscall"
	"unsafe"
)

// nofile is RLIMIT_NOFILE as berth was started with. Package os raises the soft
// limit in its init and package syscall lowers it again only in its own execve,
// which stage 1 does not use; this variable is set before os runs because nothing
// but syscall is imported here.
var nofile = readNofile()

// Nofile returns the soft and hard RLIMIT_NOFILE that berth was started with.
func Nofile() (soft, hard uint64) { return nofile[0], nofile[1] }

func readNofile() (lim [2]uint64) {
	// getrlimit of a valid resource into valid memory cannot fail.
	_, _, _ = syscall.RawSyscall(syscall.SYS_GETRLIMIT, syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&lim)), 0)
	return lim
}

// Unblind lets the process open files again: stage 1 executes it with a soft
// RLIMIT_NOFILE of 0.
func Unblind() error {
	lim := readNofile()
	lim[0] = lim[1]
	_, _, e := syscall.RawSyscall6(sysPrlimit64, 0, syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&lim)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
