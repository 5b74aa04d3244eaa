package linux

import (
	"syscall"
	"unsafe"
)

// statxMntID asks statx(2) for the mount id.
const statxMntID = 0x1000 // since v5.8

// statx is struct statx up to the mount id; the kernel writes 256 bytes.
type statx struct {
	mask  uint32
	_     [140]byte
	mntID uint64
	_     [104]byte
}

// MountID returns the number of the mount that fd is on (statx(2),
// STATX_MNT_ID, since v5.8); ENOSYS on older kernels.
func MountID(fd int) (uint64, error) {
	var stx statx
	empty := [1]byte{}
	_, _, e := syscall.Syscall6(sysStatx, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		AtEmptyPath|AtSymlinkNofollow|AtNoAutomount, statxMntID, uintptr(unsafe.Pointer(&stx)), 0)
	if e != 0 {
		return 0, e
	}
	if stx.mask&statxMntID == 0 {
		return 0, syscall.ENOSYS
	}
	return stx.mntID, nil
}

// Flistxattr returns the names of fd's extended attributes, each followed by NUL
// (flistxattr(2)).
func Flistxattr(fd int) ([]byte, error) {
	return grow(func(buf unsafe.Pointer, n uintptr) (uintptr, syscall.Errno) {
		r, _, e := syscall.Syscall(syscall.SYS_FLISTXATTR, uintptr(fd), uintptr(buf), n)
		return r, e
	})
}

// Fgetxattr returns an extended attribute of fd (fgetxattr(2)).
func Fgetxattr(fd int, name string) ([]byte, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, syscall.EINVAL
	}
	return grow(func(buf unsafe.Pointer, n uintptr) (uintptr, syscall.Errno) {
		r, _, e := syscall.Syscall6(syscall.SYS_FGETXATTR, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(buf), n, 0, 0)
		return r, e
	})
}

// Fsetxattr sets an extended attribute of fd (fsetxattr(2)).
func Fsetxattr(fd int, name string, value []byte) error {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return syscall.EINVAL
	}
	var v unsafe.Pointer
	if len(value) > 0 {
		v = unsafe.Pointer(&value[0])
	}
	_, _, e := syscall.Syscall6(syscall.SYS_FSETXATTR, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(v), uintptr(len(value)), 0, 0)
	return errno(e)
}

// grow calls read with buffers of growing size, up to the kernel's limit of 64
// KiB, until the value fits (ERANGE).
func grow(read func(buf unsafe.Pointer, n uintptr) (uintptr, syscall.Errno)) ([]byte, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, e := read(unsafe.Pointer(&buf[0]), uintptr(size))
		if e == syscall.ERANGE && size < 1<<16 {
			continue
		}
		if e != 0 {
			return nil, e
		}
		return buf[:n], nil
	}
}

// Futimens sets the access and modification times of fd (utimensat(2)).
func Futimens(fd int, atime, mtime syscall.Timespec) error {
	ts := [2]syscall.Timespec{atime, mtime}
	_, _, e := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	return errno(e)
}
