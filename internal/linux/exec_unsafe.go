package linux

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// sockFprog is struct sock_fprog of seccomp(2).
type sockFprog struct {
	len    uint16
	filter *byte
}

const sizeofSockFilter = 8

func fprog(filter []byte) (sockFprog, error) {
	n := len(filter) / sizeofSockFilter
	if n == 0 || n > 0xffff || len(filter)%sizeofSockFilter != 0 {
		return sockFprog{}, syscall.EINVAL
	}
	return sockFprog{uint16(n), &filter[0]}, nil
}

// Image is an execve(2) whose arguments are laid out in memory.
type Image struct {
	path       *byte
	argv, envp []*byte
}

// NewImage prepares execve(path, args, env); EINVAL when one of them has a NUL.
func NewImage(path string, args, env []string) (*Image, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return nil, syscall.EINVAL
	}
	argv, err := syscall.SlicePtrFromStrings(args)
	if err != nil {
		return nil, syscall.EINVAL
	}
	envp, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return nil, syscall.EINVAL
	}
	return &Image{p, argv, envp}, nil
}

// Exec replaces the process; it returns only when execve(2) failed.
func (i *Image) Exec() syscall.Errno {
	_, _, e := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(i.path)),
		uintptr(unsafe.Pointer(&i.argv[0])), uintptr(unsafe.Pointer(&i.envp[0])))
	runtime.KeepAlive(i)
	return e
}

// Listener hands the fd that reports a filter's notifications from the thread that
// loads the filter to another thread of the process, which no filter holds back.
type Listener struct {
	fd      atomic.Int64 // one more than the number, 0: not there yet
	release atomic.Bool
}

// FD returns the listener once the filter is loaded, and whether it is.
func (l *Listener) FD() (int, bool) {
	n := l.fd.Load()
	return int(n - 1), n != 0
}

// Release lets the thread that has loaded the filter go on to execve.
func (l *Listener) Release() { l.release.Store(true) }

// ListenExec is FilterExec for a filter with a listener: between the two system
// calls it hands the listener to l and waits for Release. It waits by looking, as
// any other way to wait is a system call that the filter may forbid, or ask the
// listener about that nobody has yet. flags hold SeccompFilterFlagNewListener.
//
// The caller sees to it that another thread runs Go code meanwhile: this one
// keeps its P.
func (i *Image) ListenExec(filter []byte, flags uint64, l *Listener) (loaded bool, e syscall.Errno) {
	prog, err := fprog(filter)
	if err != nil {
		return false, syscall.EINVAL
	}
	path, argv, envp := unsafe.Pointer(i.path), unsafe.Pointer(&i.argv[0]), unsafe.Pointer(&i.envp[0])
	fd, _, e := syscall.RawSyscall(sysSeccomp, SeccompSetModeFilter, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return false, e
	}
	l.fd.Store(int64(fd) + 1)
	for !l.release.Load() {
	}
	_, _, e = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(path), uintptr(argv), uintptr(envp))
	runtime.KeepAlive(i)
	runtime.KeepAlive(filter)
	return true, e
}

// FilterExec loads a seccomp filter and replaces the process. Nothing, not even
// an instruction of the Go runtime that enters the kernel, comes between the two
// system calls, so the filter needs to allow execve alone. It returns only on
// failure: loaded says whether the filter is in force.
//
// A preemption signal of the Go runtime may still arrive while the filter is
// being loaded; its handler calls nothing but rt_sigreturn(2), without which no
// program with a signal handler works.
func (i *Image) FilterExec(filter []byte, flags uint64) (loaded bool, e syscall.Errno) {
	prog, err := fprog(filter)
	if err != nil {
		return false, syscall.EINVAL
	}
	path, argv, envp := unsafe.Pointer(i.path), unsafe.Pointer(&i.argv[0]), unsafe.Pointer(&i.envp[0])
	_, _, e = syscall.RawSyscall(sysSeccomp, SeccompSetModeFilter, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return false, e
	}
	_, _, e = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(path), uintptr(argv), uintptr(envp))
	runtime.KeepAlive(i)
	runtime.KeepAlive(filter)
	return true, e
}
