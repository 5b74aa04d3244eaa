package nsenter

import (
	"syscall"
	"unsafe"
)

// The Go runtime's own hooks around fork, which package syscall uses the same way.
// They are marked "do not remove or change the type signature" in runtime/proc.go.

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// event is what the child tells over the report pipe.
type event struct {
	kind  uint32
	step  uint32
	value int64 // an errno, or a pid
}

const (
	eventFailed  = 1 + iota // value is the errno of step
	eventMaps               // the uid and gid maps of the sender are due
	eventOffsets            // the time offsets of the sender are due
	eventChild              // value is the pid of the final child; the sender exits
)

// clone forks with args (clone3) or, where the kernel has no clone3, with flags
// (clone), and runs the arena's operations in the child. It returns the child's
// pid in the parent and never returns in the child.
//
// Precondition: the OS thread is locked and syscall.ForkLock is held.
//
// Between runtimeBeforeFork and the end no Go stack may grow, nothing may be
// allocated, no write barrier may run and no bounds check may fail: every
// variable is declared on top, everything read lies in the arena, and the only
// calls are RawSyscalls, which are nosplit.
//
//go:noinline
//go:norace
//go:nocheckptr
func clone(ops unsafe.Pointer, count uintptr, args uintptr, flags uintptr, report uintptr, readEnd uintptr) (pid uintptr, err syscall.Errno) {
	var (
		i    uintptr
		o    *operation
		r    uintptr
		e    syscall.Errno
		ev   event
		one  [8]byte
		last uintptr
	)

	// About to fork: signals are blocked from here on.
	runtimeBeforeFork()
	if args != 0 {
		pid, _, err = syscall.RawSyscall6(sysClone3, args, unsafe.Sizeof(cloneArgs{}), 0, 0, 0, 0)
	} else {
		pid, _, err = syscall.RawSyscall6(syscall.SYS_CLONE, flags|uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if err != 0 || pid != 0 {
		runtimeAfterFork()
		return pid, err
	}

	// The child. Signal handlers go back to their defaults and the mask to the parent's.
	runtimeAfterForkInChild()
	// Without this copy of its read end the report pipe breaks when the parent dies.
	syscall.RawSyscall(syscall.SYS_CLOSE, readEnd, 0, 0)

	for i = 0; i < count; i++ {
		o = (*operation)(unsafe.Add(ops, i*sizeofOperation))
		last = o.step
		switch o.kind {
		case opSyscall, opOptional:
			_, _, e = syscall.RawSyscall6(o.nr, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
			if e != 0 && (o.kind == opSyscall || (e != syscall.ENOSYS && e != syscall.EINVAL && e != syscall.EPERM)) {
				goto failed
			}
		case opReport:
			ev.kind = uint32(o.args[0])
			ev.step = uint32(o.step)
			r, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&ev)), unsafe.Sizeof(ev))
			if r != unsafe.Sizeof(ev) {
				goto gone
			}
		case opWait:
			for {
				r, _, e = syscall.RawSyscall(syscall.SYS_READ, o.args[0], uintptr(unsafe.Pointer(&one)), 1)
				if e != syscall.EINTR {
					break
				}
			}
			if r != 1 || e != 0 {
				goto gone
			}
		case opClone:
			if o.args[0] != 0 {
				r, _, e = syscall.RawSyscall6(sysClone3, o.args[0], unsafe.Sizeof(cloneArgs{}), 0, 0, 0, 0)
			} else {
				r, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, o.args[1], 0, 0, 0, 0, 0)
			}
			if e != 0 {
				goto failed
			}
			if r != 0 {
				// Stage 1 is done: the parent learns whose parent it now is.
				ev.kind = eventChild
				ev.step = uint32(o.step)
				ev.value = int64(r)
				syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&ev)), unsafe.Sizeof(ev))
				for {
					syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
				}
			}
		}
	}
	// The last operation is execveat: to come here is a mistake in the program.
	e = syscall.ENOEXEC

failed:
	ev.kind = eventFailed
	ev.step = uint32(last)
	ev.value = int64(e)
	syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&ev)), unsafe.Sizeof(ev))
gone:
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}
