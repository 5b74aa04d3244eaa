// Package nofile remembers the RLIMIT_NOFILE that berth was started with. Package
// syscall raises the soft limit in its own init and keeps the old value to itself,
// for its own execve, which berth does not use for workloads. So this package must
// be initialised before syscall: it imports nothing but unsafe, and takes the raw
// system call from where syscall takes it.
//
// Runs: parent and stage 2, before anything else.
package nofile

import "unsafe"

//go:linkname rawSyscall6 syscall.RawSyscall6
//go:noescape
func rawSyscall6(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)

const rlimitNofile = 7

var limit = read()

// Limit returns the soft and hard limit that berth was started with.
func Limit() (soft, hard uint64) { return limit[0], limit[1] }

func read() (lim [2]uint64) {
	// Of a valid resource into valid memory: it cannot fail.
	rawSyscall6(sysPrlimit64, 0, rlimitNofile, 0, uintptr(unsafe.Pointer(&lim)), 0, 0)
	return lim
}
