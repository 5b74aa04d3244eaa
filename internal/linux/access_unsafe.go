package linux

import (
	"syscall"
	"unsafe"
)

const sysFaccessat2 = 439 // since v5.8, one number on every architecture

// Eaccess checks access to path below dirfd with the effective ids and
// capabilities of the calling thread (faccessat2(2), AT_EACCESS). Older kernels
// than v5.8 check the real ones instead.
func Eaccess(dirfd int, path string, mode uint32) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.RawSyscall6(sysFaccessat2, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(mode), AtEaccess, 0, 0)
	if e == syscall.ENOSYS {
		return Faccessat(dirfd, path, mode)
	}
	return errno(e)
}
