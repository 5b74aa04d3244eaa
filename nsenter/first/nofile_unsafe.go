package first

import "unsafe"

//go:linkname rawSyscall6 syscall.RawSyscall6
//go:noescape
func rawSyscall6(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)

const rlimitNofile = 7

// limit is read before package syscall raises the soft limit in its init and keeps the
// old value to itself, for its own execve, which berth does not use for workloads.
var limit = read()

// Nofile returns the soft and hard RLIMIT_NOFILE that berth was started with.
func Nofile() (soft, hard uint64) { return limit[0], limit[1] }

func read() (lim [2]uint64) {
	// Of a valid resource into valid memory: it cannot fail.
	rawSyscall6(sysPrlimit64, 0, rlimitNofile, 0, uintptr(unsafe.Pointer(&lim)), 0, 0)
	return lim
}
