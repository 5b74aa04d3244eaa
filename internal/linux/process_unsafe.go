package linux

import (
	"syscall"
	"unsafe"
)

// Prctl is prctl(2) on the calling thread.
func Prctl(option int, a2, a3, a4, a5 uintptr) error {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, uintptr(option), a2, a3, a4, a5, 0)
	return errno(e)
}

// Setns is setns(2) on the calling thread.
func Setns(fd int, flags uintptr) error {
	_, _, e := syscall.RawSyscall(sysSetns, uintptr(fd), flags, 0)
	return errno(e)
}

// CapUserData is one 32-bit half of struct __user_cap_data_struct, version 3.
type CapUserData struct {
	Effective, Permitted, Inheritable uint32
}

// Capset sets the calling thread's capability sets (capset(2), version 3).
func Capset(effective, permitted, inheritable uint64) error {
	hdr := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	data := [2]CapUserData{
		{uint32(effective), uint32(permitted), uint32(inheritable)},
		{uint32(effective >> 32), uint32(permitted >> 32), uint32(inheritable >> 32)},
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0)
	return errno(e)
}

// Capget reads the calling thread's effective, permitted and inheritable sets.
func Capget() (effective, permitted, inheritable uint64, err error) {
	hdr := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var data [2]CapUserData
	_, _, e := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data[0])), 0)
	join := func(lo, hi uint32) uint64 { return uint64(lo) | uint64(hi)<<32 }
	return join(data[0].Effective, data[1].Effective), join(data[0].Permitted, data[1].Permitted),
		join(data[0].Inheritable, data[1].Inheritable), errno(e)
}

// Prlimit sets a resource limit of process pid (0: the caller) with prlimit64(2).
// It bypasses package syscall, which keeps an own idea of RLIMIT_NOFILE.
func Prlimit(pid int, resource int, soft, hard uint64) error {
	lim := [2]uint64{soft, hard}
	_, _, e := syscall.RawSyscall6(sysPrlimit64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(&lim)), 0, 0, 0)
	return errno(e)
}

// GetPrlimit reads a resource limit of process pid (0: the caller).
func GetPrlimit(pid int, resource int) (soft, hard uint64, err error) {
	var lim [2]uint64
	_, _, e := syscall.RawSyscall6(sysPrlimit64, uintptr(pid), uintptr(resource), 0, uintptr(unsafe.Pointer(&lim)), 0, 0)
	return lim[0], lim[1], errno(e)
}

// Setresuid is setresuid(2) on the calling thread alone, as are Setresgid and
// Setgroups: their namesakes in package syscall synchronise all threads.
func Setresuid(r, e, s uint32) error {
	_, _, en := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(r), uintptr(e), uintptr(s))
	return errno(en)
}

// Setresgid is setresgid(2) on the calling thread.
func Setresgid(r, e, s uint32) error {
	_, _, en := syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(r), uintptr(e), uintptr(s))
	return errno(en)
}

// Setgroups is setgroups(2) on the calling thread.
func Setgroups(gids []uint32) error {
	var p unsafe.Pointer
	if len(gids) > 0 {
		p = unsafe.Pointer(&gids[0])
	}
	_, _, en := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(gids)), uintptr(p), 0)
	return errno(en)
}

// PidfdOpen is pidfd_open(2), since v5.3.
func PidfdOpen(pid int) (int, error) {
	fd, _, e := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// PidfdSendSignal is pidfd_send_signal(2), since v5.1.
func PidfdSendSignal(pidfd, sig int) error {
	_, _, e := syscall.Syscall6(sysPidfdSendSignal, uintptr(pidfd), uintptr(sig), 0, 0, 0, 0)
	return errno(e)
}

// KeyctlJoinSession joins, and creates, the session keyring called name
// (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING) and returns its serial number.
func KeyctlJoinSession(name string) (int, error) {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return 0, syscall.EINVAL
	}
	id, _, e := syscall.Syscall(sysKeyctl, 1, uintptr(unsafe.Pointer(p)), 0)
	return int(id), errno(e)
}

// Keyctl is keyctl(2) with integer arguments.
func Keyctl(op int, a2, a3 uintptr) (int, error) {
	r, _, e := syscall.Syscall6(sysKeyctl, uintptr(op), a2, a3, 0, 0, 0)
	return int(r), errno(e)
}

// Ioctl is ioctl(2) with an integer or pointer-sized argument.
func Ioctl(fd int, req, arg uintptr) (int, error) {
	r, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), req, arg)
	return int(r), errno(e)
}
