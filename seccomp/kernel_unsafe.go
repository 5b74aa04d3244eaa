package seccomp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// flagSupported asks the kernel for one SECCOMP_FILTER_FLAG_*: seccomp(2) checks
// flags before it reads the filter, so a null filter gives EFAULT for a flag the
// kernel knows and EINVAL for one it does not. Nothing is loaded.
func flagSupported(bit uint64) bool {
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
		// EINVAL without it, since v5.19.
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno == unix.EFAULT
}

// actionSupported asks the kernel for one SECCOMP_RET_*. Kernels before v4.14
// cannot be asked; they have all actions but those that came later.
func actionSupported(ret uint32) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&ret)))
	if errno != unix.EINVAL {
		return errno == 0
	}
	switch ret {
	case unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_USER_NOTIF:
		return false
	}
	return true
}
