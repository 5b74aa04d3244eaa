package linux

import "syscall"

// Capability numbers this code names itself; capabilities(7) lists all.
const (
	CapSysAdmin = 21
	CapSysNice  = 23

	prCapbsetRead = 23
)

// CapBounded reports whether capability number c is in the calling thread's
// bounding set; EINVAL when the kernel does not know it.
func CapBounded(c int) (bool, error) {
	r, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prCapbsetRead, uintptr(c), 0, 0, 0, 0)
	return r == 1, errno(e)
}
