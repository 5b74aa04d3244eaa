package nsenter

import (
	"errors"
	"syscall"
)

// Join is one namespace to enter: an nsfs fd and its CLONE_NEW* type, or a pidfd
// and several types at once (setns(2), since v5.8).
type Join struct {
	FD    int
	Flags uintptr
	// Name stands in errors: "net", or a path.
	Name string
}

// Options describe the child.
type Options struct {
	// New is the CLONE_NEW* set to create.
	New uintptr
	// HostJoins are entered first; UserJoin, when set, is entered next and makes the
	// child root of that user namespace; UserJoins are those it owns.
	HostJoins []Join
	UserJoin  *Join
	UserJoins []Join
	// Origin, when set, is the mount namespace that the new one is a copy of, in place
	// of the caller's.
	Origin *Join
	// JoinsPID says that one of the joins is a pid namespace, which takes effect on
	// children only.
	JoinsPID bool
	// KeepGroups leaves the supplementary groups alone when the child becomes root of
	// a user namespace.
	KeepGroups bool
	// CgroupFD is the directory of a v2 cgroup for CLONE_INTO_CGROUP; -1: none.
	CgroupFD int
	// Maps is called when the id maps of pid are due (New has CLONE_NEWUSER), and
	// Offsets when its time offsets are (New has CLONE_NEWTIME). An error ends the start.
	Maps    func(pid int) error
	Offsets func(pid int) error
	// ExeFD is the binary to execute, Args and Env what it gets.
	ExeFD int
	Args  []string
	Env   []string
	// Inherit are close-on-exec fds the binary keeps; Preserve is how many from 3 on
	// it has from berth's caller.
	Inherit  []int
	Preserve int
	// Tasks are v1 `tasks` files that stage 1 joins before it lets the child into a
	// pid namespace where others see it, or take another user id.
	Tasks []int
}

// Error is a system call of the child that failed.
type Error struct {
	Step  Step
	Name  string // of the namespace, for StepJoin
	Errno syscall.Errno
}

func (e *Error) Error() string {
	s := e.Step.String()
	if e.Name != "" {
		s += " " + e.Name
	}
	if e.Step == StepClone && e.Errno == syscall.ENOMEM {
		return s + ": the pid namespace is gone: " + e.Errno.Error()
	}
	return s + ": " + e.Errno.Error()
}

// Unwrap gives errors.Is access to the errno.
func (e *Error) Unwrap() error { return e.Errno }

// errDied reports a child that vanished without a word: it was killed.
var errDied = errors.New("stage 1 was killed")

// twoStage tells whether the final child needs a second clone (doc.go).
func (o *Options) twoStage() bool {
	joins := len(o.HostJoins) > 0
	return o.UserJoin != nil || o.JoinsPID || o.New&newTime != 0 || (o.New&newUser != 0 && joins)
}

// Start forks the child described by o and returns its pid once it executes the
// binary. The child is always a direct child of the caller. On an error no child
// is left. The child inherits what belongs to a thread (affinity, name) from the one
// that calls: who sets that up has the thread to himself (runtime.LockOSThread).
func Start(o Options) (pid int, err error) {
	if o.CgroupFD >= 0 && !haveClone3() {
		return -1, &Error{Step: StepFork, Errno: syscall.ENOSYS}
	}
	report, err := pipe()
	if err != nil {
		return -1, err
	}
	defer func() { _ = syscall.Close(report[0]) }()
	gate, err := pipe()
	if err != nil {
		_ = syscall.Close(report[1])
		return -1, err
	}
	defer func() { _ = syscall.Close(gate[1]) }()

	p, err := newProgram(&o, report, gate)
	if err != nil {
		_, _ = syscall.Close(report[1]), syscall.Close(gate[0])
		return -1, err
	}
	defer p.free()

	syscall.ForkLock.Lock()
	first, errno := clone(p.child)
	syscall.ForkLock.Unlock()
	_, _ = syscall.Close(report[1]), syscall.Close(gate[0])
	if errno != 0 {
		return -1, &Error{Step: StepFork, Errno: errno}
	}
	return p.follow(&o, int(first), report[0], gate[1])
}

// follow answers the child's reports until it executes the binary (end of file).
func (p *program) follow(o *Options, first, report, gate int) (int, error) {
	final := first
	if o.twoStage() {
		final = -1
	}
	fail := func(err error) (int, error) {
		for _, pid := range []int{first, final} {
			if pid > 0 {
				kill(pid)
			}
			if first == final {
				break
			}
		}
		return -1, err
	}
	if !o.twoStage() && o.New&newUser != 0 {
		if err := o.Maps(first); err != nil {
			return fail(err)
		}
		release(gate)
	}
	for {
		ev, ok, err := readEvent(report)
		if err != nil {
			return fail(err)
		}
		if !ok {
			break
		}
		switch ev.kind {
		case eventMaps:
			if err = o.Maps(first); err == nil {
				release(gate)
			}
		case eventOffsets:
			if err = o.Offsets(first); err == nil {
				release(gate)
			}
		case eventChild:
			reap(first)
			first, final = -1, int(ev.value)
		case eventFailed:
			e := &Error{Step: Step(ev.step), Errno: syscall.Errno(ev.value)}
			if e.Step >= stepJoinBase {
				e.Name = p.names[e.Step-stepJoinBase]
				e.Step = StepJoin
			}
			err = e
		}
		if err != nil {
			return fail(err)
		}
	}
	// End of file: the binary runs, or the child was killed on its way there, which
	// the connection it inherited tells in the same moment.
	if final < 0 {
		return fail(errDied)
	}
	return final, nil
}

// release lets the waiting child go on. It may be dead: the report tells.
func release(gate int) {
	_, _ = syscall.Write(gate, []byte{1})
}

// kill ends and reaps a child that may already be gone.
func kill(pid int) {
	_ = syscall.Kill(pid, syscall.SIGKILL)
	reap(pid)
}

func reap(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, syscall.WALL, nil); err != syscall.EINTR {
			return
		}
	}
}

func pipe() ([2]int, error) {
	var p [2]int
	err := syscall.Pipe2(p[:], syscall.O_CLOEXEC)
	return p, err
}
