package nsenter

import "syscall"

// stepJoinBase and above are joins: the rest indexes program.names.
const stepJoinBase Step = 100

// program is the prepared child.
type program struct {
	*arena
	names []string
	// reportFD is what the child reports over.
	reportFD int
}

// newProgram writes the child's operations. gate is the pipe over which the parent
// lets it go on.
func newProgram(o *Options, report, gate [2]int) (*program, error) {
	size := 4096
	for _, list := range [][]string{o.Args, o.Env} {
		for _, s := range list {
			size += len(s) + 17
		}
	}
	a, err := newArena(40+len(o.HostJoins)+len(o.UserJoins)+2*len(o.Inherit)+len(o.Tasks), size)
	if err != nil {
		return nil, err
	}
	p := &program{arena: a, reportFD: report[1]}
	p.report = p.reporting(report[1])
	// Without this copy of its read end the report pipe breaks when the parent dies, and
	// without that copy of its end that writes the gate has an end of file then.
	p.call(StepFork, syscall.SYS_CLOSE, uintptr(report[0]))
	p.call(StepFork, syscall.SYS_CLOSE, uintptr(gate[1]))
	if o.twoStage() {
		p.enter(o, gate[0])
	} else {
		p.direct(o, gate[0])
	}
	for _, fd := range o.Inherit {
		p.call(StepInherit, syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, 0)
	}
	p.blind()
	p.calm()
	p.call(StepExec, sysExecveat, uintptr(o.ExeFD), p.str(""), p.strs(o.Args), p.strs(o.Env), atEmptyPath)
	return p, nil
}

// blind keeps the Go runtime of the init stage from opening files while it
// starts: it would look for its CPU limit in /proc/self/cgroup, mountinfo and
// below /sys, which after a join are the container's to fake (a FIFO there would
// hold berth up for ever), and otherwise cost time that grows with the mounts.
// With no fd to be had, open(2) fails before it looks at the path. Unblind lifts
// the limit.
func (p *program) blind() {
	_, hard := Nofile()
	p.call(StepInherit, sysPrlimit64, 0, syscall.RLIMIT_NOFILE, p.rlimit(0, hard), 0)
}

// calm lets the threads of the init stage sleep longer than they ask for: the Go
// runtime's monitor would wake up every 20 µs to look after goroutines that are
// not there. Timer slack passes on to threads and through execve (prctl(2)); the
// stage resets its own.
func (p *program) calm() {
	const slack = 50_000_000 // ns
	p.call(StepInherit, syscall.SYS_PRCTL, prSetTimerslack, slack)
}

// direct is the way with one clone.
func (p *program) direct(o *Options, gate int) {
	flags := o.New
	if o.Origin != nil {
		flags &^= newMnt
	}
	p.firstClone(flags|o.sleep()|o.share(), o.CgroupFD)
	p.joinTasks(o)
	if o.New&newUser != 0 {
		p.add(operation{opWait, uintptr(StepMaps), p.waiting(gate)})
		p.becomeRoot(o)
	}
	for _, j := range o.HostJoins {
		p.join(j)
	}
	if o.Origin != nil {
		p.join(*o.Origin)
		p.call(StepUnshareMounts, syscall.SYS_UNSHARE, newMnt)
	}
}

// sleep is CLONE_VFORK where the parent has nothing to do until the child executes
// the binary: asleep it touches no page that would have to be copied.
func (o *Options) sleep() uintptr {
	if o.New&(newUser|newTime) != 0 {
		return 0
	}
	return cloneVfork
}

// share is CLONE_VM where the parent sleeps: the child works in the parent's memory, and
// nothing is copied at all. A change of credentials would make that memory not dumpable,
// and setns(2) into a time namespace fails in memory that is shared (EUSERS). Nobody sees
// a child that shares who does not see the parent: it is in the parent's pid namespace,
// or alone in a new one.
func (o *Options) share() uintptr {
	if o.sleep() == 0 || o.UserJoin != nil {
		return 0
	}
	for _, j := range o.HostJoins {
		if j.Flags&newTime != 0 || j.Flags == 0 {
			return 0
		}
	}
	return cloneVM
}

// enter is the way with two clones.
func (p *program) enter(o *Options, gate int) {
	// Stage 1 enters the cgroup, and the child is born where it is. For the second
	// clone it would be too late: the fd must be closed by then (closeOthers), and
	// from inside a cgroup namespace that does not hold the caller's cgroup nobody
	// gets out of that (ENOENT on a mount with nsdelegate).
	p.firstClone(o.sleep()|o.share(), o.CgroupFD)
	p.joinTasks(o)
	for _, j := range o.HostJoins {
		p.join(j)
	}
	switch {
	case o.UserJoin != nil:
		p.join(*o.UserJoin)
		p.becomeRoot(o)
	case o.New&newUser != 0:
		p.call(StepUnshareUser, syscall.SYS_UNSHARE, newUser)
		p.ask(eventMaps, StepMaps, gate)
		p.becomeRoot(o)
	}
	for _, j := range o.UserJoins {
		p.join(j)
	}
	if o.New&newTime != 0 {
		p.call(StepUnshareTime, syscall.SYS_UNSHARE, newTime)
		p.ask(eventOffsets, StepOffsets, gate)
	}
	if o.Origin != nil {
		p.join(*o.Origin)
	}
	p.closeOthers(o, gate)
	flags := o.New&^(newUser|newTime) | cloneParent | o.sleep()
	op := operation{opClone, uintptr(StepClone), newRequest(syscall.SYS_CLONE, flags)}
	if haveClone3() {
		// CLONE_PARENT makes the child the parent's own; its exit signal is then
		// stage 1's and must be 0 here (clone(2)).
		op.request = p.cloning(cloneArgs{flags: uint64(flags)})
	}
	p.add(op)
}

// closeOthers closes what the child does not need before it exists: in a pid
// namespace with others it can be seen from its first moment, and a container that
// holds CAP_SYS_PTRACE in the host's user namespace may open what it has open
// (CVE-2016-9962; tests/attack, TestSnoopDescriptorsOfExec).
func (p *program) closeOthers(o *Options, gate int) {
	keep := append([]int{gate, p.reportFD, o.ExeFD}, o.Inherit...)
	next := 3 + o.Preserve
	for {
		fd := lowest(keep, next)
		if fd < 0 {
			break
		}
		if fd > next {
			p.closeRange(next, uintptr(fd-1))
		}
		next = fd + 1
	}
	p.closeRange(next, 1<<32-1)
}

// lowest returns the lowest of fds that is at least from; -1: none.
func lowest(fds []int, from int) int {
	found := -1
	for _, fd := range fds {
		if fd >= from && (found < 0 || fd < found) {
			found = fd
		}
	}
	return found
}

// closeRange is close_range(2). Kernels before v5.9 do without: there the fds go
// with execve, a moment later.
func (p *program) closeRange(first int, last uintptr) {
	p.add(operation{opOptional, uintptr(StepInherit), newRequest(sysCloseRange, uintptr(first), last)})
}

func (p *program) firstClone(flags uintptr, cgroup int) {
	flags |= cloneChildSettid | cloneChildCleartid
	if haveClone3() {
		args := cloneArgs{flags: uint64(flags), childTID: uint64(p.aliveAddress()), exitSignal: uint64(syscall.SIGCHLD)}
		p.fork = p.cloning(intoCgroupArgs(args, cgroup))
		return
	}
	// The order of the last two arguments depends on the architecture (clone(2)); only
	// one of them is asked for.
	p.fork = newRequest(syscall.SYS_CLONE, flags|uintptr(syscall.SIGCHLD), 0, 0, p.aliveAddress(), p.aliveAddress())
}

func intoCgroupArgs(c cloneArgs, fd int) cloneArgs {
	if fd >= 0 {
		c.flags |= intoCgroup
		c.cgroup = uint64(fd)
	}
	return c
}

// becomeRoot takes uid and gid 0 of the user namespace: without it execve would
// drop every capability there (capabilities(7)). The groups first, while it is
// allowed; where it is not (no privileged gid map) they stay.
func (p *program) becomeRoot(o *Options) {
	if !o.KeepGroups {
		p.add(operation{opOptional, uintptr(StepBecomeRoot), newRequest(syscall.SYS_SETGROUPS)})
	}
	p.call(StepBecomeRoot, syscall.SYS_SETRESGID, 0, 0, 0)
	p.call(StepBecomeRoot, syscall.SYS_SETRESUID, 0, 0, 0)
}

// joinTasks enters v1 cgroups. Who may move whom is decided by user ids
// (cgroup1_procs_write): as an ordinary user's container root, with an id of its own
// outside, it would be too late.
func (p *program) joinTasks(o *Options) {
	for _, fd := range o.Tasks {
		p.call(StepCgroup, syscall.SYS_WRITE, uintptr(fd), p.str("0"), 1)
	}
}

func (p *program) join(j Join) {
	p.call(stepJoinBase+Step(len(p.names)), sysSetns, uintptr(j.FD), j.Flags)
	p.names = append(p.names, j.Name)
}

// ask reports ev and waits for the parent's answer.
func (p *program) ask(ev uintptr, step Step, gate int) {
	p.add(operation{opReport, uintptr(step), request{args: [6]uintptr{ev}}})
	p.add(operation{opWait, uintptr(step), p.waiting(gate)})
}
