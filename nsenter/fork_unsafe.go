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

// What the child's last system call was for.
const (
	doFork = iota
	doOperation
	doLeave
)

// clone makes the first system call of c, which forks, and in the child then those of
// the arena's operations. It returns the child's pid in the parent and never returns in
// the child.
//
// Precondition: the OS thread is locked and syscall.ForkLock is held.
//
// Between runtimeBeforeFork and the end no Go stack may grow, nothing may be
// allocated, no write barrier may run and no bounds check may fail: every
// variable is declared on top, everything read lies in the arena, and the only
// calls are a RawSyscall, which is nosplit, and the hooks.
//
// After CLONE_VM and CLONE_VFORK (program.go, sleep) the child runs on the parent's own
// stack, while the parent sleeps in the kernel: what the child's calls leave there is
// what the parent finds. Therefore all system calls of both are one call in the text,
// whose return address is the same for both, and nothing that was known before it is
// relied on after it: whether this is the child is asked of c.alive, which the kernel sets
// for the child and, before it wakes the parent, clears when the child has executed the
// binary or died of whatever cause (CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID; mm_release in
// kernel/fork.c). In the parent of a plain fork it never was set.
//
//go:noinline
//go:norace
//go:nocheckptr
func clone(c *child) (pid uintptr, err syscall.Errno) {
	var (
		i     uintptr
		o     *operation
		call  request
		r     uintptr
		e     syscall.Errno
		doing int
	)

	call = c.fork
	// About to fork: signals are blocked from here on.
	runtimeBeforeFork()
	for {
		r, _, e = syscall.RawSyscall6(call.nr, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5])
		if c.alive == 0 {
			break
		}
		switch doing {
		case doFork:
			// The child. Signal handlers go back to their defaults and the mask to the
			// parent's.
			runtimeAfterForkInChild()
		case doLeave:
			call = request{nr: syscall.SYS_EXIT_GROUP, args: [6]uintptr{c.status}}
			continue
		case doOperation:
			switch {
			case o.kind == opWait && e == syscall.EINTR:
				continue
			case o.kind == opWait && (e != 0 || r != 1), o.kind == opReport && e != 0:
				// The parent is gone.
				doing = doLeave
				call = request{nr: syscall.SYS_EXIT_GROUP, args: [6]uintptr{1}}
				continue
			case o.kind == opOptional && (e == syscall.ENOSYS || e == syscall.EINVAL || e == syscall.EPERM):
			case e != 0:
				doing = doLeave
				c.status = 1
				c.event = event{kind: eventFailed, step: uint32(o.step), value: int64(e)}
				call = c.report
				continue
			case o.kind == opClone && r != 0:
				// Stage 1 is done: the parent learns whose parent it now is.
				doing = doLeave
				c.event = event{kind: eventChild, step: uint32(o.step), value: int64(r)}
				call = c.report
				continue
			}
		}
		doing = doOperation
		o = (*operation)(unsafe.Add(c.operations, i*sizeofOperation))
		i++
		call = o.request
		if o.kind == opReport {
			c.event = event{kind: uint32(o.args[0]), step: uint32(o.step)}
			call = c.report
		}
	}
	runtimeAfterFork()
	return r, e
}
