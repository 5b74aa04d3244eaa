package linux

import "syscall"

// HaveMountAPI tells whether the kernel has the whole of the mount API that berth
// builds on: v5.2, and mount_setattr of v5.12. Each call is made with arguments it
// refuses, so that nothing happens; a kernel, or an outer seccomp filter, that
// does not know it says so instead.
func HaveMountAPI() bool {
	bad := ^uintptr(0)
	for _, nr := range [...]uintptr{sysOpenTree, sysMoveMount, sysFsopen, sysFsconfig, sysFsmount, sysMountSetattr} {
		_, _, e := syscall.RawSyscall6(nr, bad, 0, bad, bad, bad, bad)
		if e == syscall.ENOSYS || e == syscall.EPERM {
			return false
		}
	}
	return true
}
