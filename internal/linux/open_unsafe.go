package linux

import (
	"syscall"
	"unsafe"
)

// OpenHow is struct open_how of openat2(2).
type OpenHow struct {
	Flags, Mode, Resolve uint64
}

// Openat2 opens path below dirfd (openat2(2), since v5.6). O_CLOEXEC is added.
// EAGAIN, which a racing rename causes under RESOLVE_IN_ROOT, is returned: the
// caller bounds its retries.
func Openat2(dirfd int, path string, how OpenHow) (int, error) {
	how.Flags |= syscall.O_CLOEXEC
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, syscall.EINVAL
	}
	for {
		fd, _, e := syscall.Syscall6(sysOpenat2, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return -1, e
		}
		return int(fd), nil
	}
}

// Openat is openat(2) with O_CLOEXEC added.
func Openat(dirfd int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := syscall.Openat(dirfd, path, flags|syscall.O_CLOEXEC, mode)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return -1, err
		}
		return fd, nil
	}
}

// Fstatat is newfstatat(2).
func Fstatat(dirfd int, path string, st *syscall.Stat_t, flags int) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.Syscall6(sysFstatat, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(st)), uintptr(flags), 0, 0)
	return errno(e)
}

// Readlinkat is readlinkat(2); an empty path reads the link an O_PATH fd names.
func Readlinkat(dirfd int, path string) (string, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return "", syscall.EINVAL
	}
	buf := make([]byte, syscall.PathMax)
	n, _, e := syscall.Syscall6(sysReadlinkat, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return "", e
	}
	if int(n) == len(buf) {
		return "", syscall.ENAMETOOLONG
	}
	return string(buf[:n]), nil
}

// Symlinkat is symlinkat(2).
func Symlinkat(target string, dirfd int, path string) error {
	t, err := syscall.BytePtrFromString(target)
	if err != nil {
		return syscall.EINVAL
	}
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.Syscall(sysSymlinkat, uintptr(unsafe.Pointer(t)), uintptr(dirfd), uintptr(unsafe.Pointer(p)))
	return errno(e)
}

// Faccessat is faccessat(2): it checks with the real ids of the caller.
func Faccessat(dirfd int, path string, mode uint32) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.Syscall(sysFaccessat, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(mode))
	return errno(e)
}

// CloseRange closes, or with CloseRangeCloexec marks, every fd from first to
// last (close_range(2), since v5.9).
func CloseRange(first, last uint, flags int) error {
	_, _, e := syscall.RawSyscall(sysCloseRange, uintptr(first), uintptr(last), uintptr(flags))
	return errno(e)
}

// SetCloexec sets or clears FD_CLOEXEC.
func SetCloexec(fd int, on bool) error {
	flag := uintptr(0)
	if on {
		flag = syscall.FD_CLOEXEC
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, flag)
	return errno(e)
}

// MemfdCreate is memfd_create(2).
func MemfdCreate(name string, flags int) (int, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return -1, syscall.EINVAL
	}
	fd, _, e := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(p)), uintptr(flags), 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// Fcntl is fcntl(2) with an integer argument.
func Fcntl(fd, cmd, arg int) (int, error) {
	r, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// errno turns 0 into nil.
func errno(e syscall.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}
