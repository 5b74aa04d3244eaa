package launch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"berth/cgroups"
	"berth/internal/idmap"
	"berth/libcontainer/configs"
	"berth/libcontainer/creds"
	"berth/libcontainer/wire"
	"berth/nsenter"

	"golang.org/x/sys/unix"
)

// Options describe one start of the init stage.
type Options struct {
	// Plan is completed with the numbers of the fds below and sent.
	Plan *wire.Plan
	// Namespaces are those to create or join (create); Target names a process to
	// join in all of them instead (exec).
	Namespaces []configs.Namespace
	Target     *Target

	UIDMappings, GIDMappings []configs.IDMap
	TimeOffsets              string
	// IDMapMounts are bind mounts to open with mapped owners.
	IDMapMounts []configs.IDMapMount

	// Cgroup is how the child enters its cgroup; nil: it stays in the caller's.
	Cgroup *cgroups.Join
	// OtherCgroup, when set, opens the v2 cgroup to enter if Cgroup takes no processes,
	// and AddToCgroup moves the child by pid if the caller may not.
	OtherCgroup func() (*cgroups.Join, error)
	AddToCgroup func(pid int) error

	// Affinity is the CPU mask the child starts with; nil: the caller's.
	Affinity []byte

	// Listener and Console are close-on-exec fds for Plan.StartListener and
	// Plan.Terminal.ConsoleFD; -1: none.
	Listener, Console int
	// MountNS is a close-on-exec fd of the mount namespace for Plan.HotMounts: the
	// child enters it by itself, and a user's starts with a copy of the caller's,
	// whose mounts it may clone then. Looked at only if Plan.HotMounts is set.
	MountNS int
	// Anteroom is a close-on-exec fd of the mount namespace that the container's is
	// copied from, for plans that FromAnteroom allows; 0: the caller's is.
	Anteroom int
	// Joined, when set, is called once the child is in its namespaces, before it gets
	// the plan.
	Joined func(pid int) error
	// Ready, when set, is called once the child waits for its start.
	Ready func(pid int) error
	// HookState makes the state that hooks inside get, once the pid is known.
	HookState func(pid int) string
	// Sealed executes a sealed copy of the binary: for containers that hold
	// CAP_SYS_ADMIN in the host's user namespace, and where processes of the same
	// user namespace can see the init stage, which the copy hides itself from.
	Sealed bool
	// Snooped says that the container may look into the init stage of an exec: its
	// cgroups are joined while it cannot be seen yet, so that it has no fd of theirs
	// by then. The init stage's own memory is then charged to the container.
	Snooped bool
	// Crowded says that the pids limit leaves little room: the init stage, a Go program
	// with some threads, enters the cgroup only when it is ready to be replaced by the
	// workload. For an exec, which runs nothing of the container's before.
	Crowded bool
}

// Target is a process whose namespaces an exec joins. Pidfd is -1 before v5.3.
type Target struct {
	PID, Pidfd int
	// Only are the CLONE_NEW* kinds to join; 0: all.
	Only uintptr
}

// Child is a started init stage.
type Child struct {
	PID  int
	conn wire.Conn
	// late is to be done once the child is ready: moving it into cgroups.
	late []func() error
}

// ErrUserNamespace reports that the kernel refused to make the user namespace.
var ErrUserNamespace = errors.New("no user namespace for this user")

// explain tells a clone that was refused because of its user namespace.
func (o *Options) explain(err error) error {
	var e *nsenter.Error
	if !errors.As(err, &e) || e.Step != nsenter.StepFork && e.Step != nsenter.StepClone && e.Step != nsenter.StepUnshareUser {
		return err
	}
	for _, ns := range o.Namespaces {
		if ns.Type == unix.CLONE_NEWUSER && ns.Path == "" {
			return fmt.Errorf("%w: %w", ErrUserNamespace, err)
		}
	}
	return err
}

// Start forks the init stage and sends it the plan. On an error no process is left.
func Start(o Options) (*Child, error) {
	if err := hideLeaks(o.Plan.PreserveFDs); err != nil {
		return nil, err
	}
	exe, err := openSelf(o.Sealed)
	if err != nil {
		return nil, err
	}
	defer unix.Close(exe)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair to the init stage: %w", err)
	}
	c := &Child{conn: wire.Conn{FD: pair[0]}}
	err = c.fork(o, exe, pair[1])
	// From here on end of file on our side means that the child is gone.
	unix.Close(pair[1])
	if err == nil {
		err = c.configure(o)
	}
	if err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// fork runs stage 1; sock is the child's end of the connection.
func (c *Child) fork(o Options, exe, sock int) error {
	n := nsenter.Options{
		// The root file system of a user may be one that only a group of his may enter:
		// the groups go with the change to the container's user, in the end.
		KeepGroups: !o.Plan.Process.SetGroups || o.Target == nil && os.Geteuid() != 0,
		CgroupFD:   -1,
		ExeFD:      exe,
		Args:       []string{wire.InitName, strconv.Itoa(sock)},
		// No collector and no preemption: the stage lives for a millisecond. One P: its
		// one goroutine needs no other, for which the runtime would start threads. (The
		// monitor, which takes a P away in long system calls, sleeps: nsenter's calm.)
		// The variables end with the stage's execve.
		Env:     []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"},
		Inherit: []int{sock},
		Maps: func(pid int) error {
			return idmap.Write(pid, o.UIDMappings, o.GIDMappings)
		},
		Offsets: func(pid int) error {
			if o.TimeOffsets == "" {
				return nil
			}
			return writeProc(pid, "timens_offsets", o.TimeOffsets)
		},
	}
	var j *joins
	var err error
	if o.Target != nil {
		j, err = targetJoins(o.Target)
	} else {
		j, err = openJoins(o.Namespaces)
	}
	if err != nil {
		return err
	}
	defer j.close()
	n.HostJoins, n.UserJoin, n.UserJoins, n.JoinsPID = j.host, j.user, j.rest, j.pid

	for _, ns := range o.Namespaces {
		switch {
		case ns.Path != "":
		case ns.Type == unix.CLONE_NEWCGROUP:
			// Its root is the cgroup the process is in when it unshares: the init
			// stage does, once it is in the container's.
			o.Plan.NewCgroupNS = true
		default:
			n.New |= ns.Type
		}
	}
	if o.Plan.HotMounts != nil && o.Plan.UserNS && os.Geteuid() != 0 {
		n.New |= unix.CLONE_NEWNS
	}
	closeMounts, err := openMounts(&o)
	if err != nil {
		return err
	}
	defer closeMounts()
	if o.Cgroup != nil && (o.Snooped && n.JoinsPID || o.foreignRoot()) {
		tasks := o.Cgroup.Tasks
		o.Cgroup = &cgroups.Join{Dir: o.Cgroup.Dir}
		if o.Crowded {
			c.late = append(c.late, func() error { return addThread(tasks, c.PID) })
		} else {
			n.Tasks = tasks
		}
	}
	if o.Anteroom > 0 {
		n.Origin = &nsenter.Join{FD: o.Anteroom, Flags: unix.CLONE_NEWNS, Name: "anteroom"}
	}
	n.Preserve = o.Plan.PreserveFDs
	n.Inherit = append(n.Inherit, o.planFDs()...)
	return o.explain(c.forkInto(n, o))
}

// foreignRoot tells whether an ordinary user's container root has another id outside
// than the user: it may not move itself between v1 cgroups then.
func (o *Options) foreignRoot() bool {
	if os.Geteuid() == 0 || len(o.Cgroup.Tasks) == 0 {
		return false
	}
	maps := o.UIDMappings
	if o.Target != nil {
		maps, _ = idmap.Read(fmt.Sprintf("/proc/%d/uid_map", o.Target.PID)) // none: it is gone
	}
	return !slices.ContainsFunc(maps, func(m idmap.Map) bool { return m.Container == 0 && int(m.Host) == os.Geteuid() })
}

// planFDs writes the numbers of the inherited fds into the plan.
func (o *Options) planFDs() []int {
	var fds []int
	o.Plan.StartListener, o.Plan.Terminal.ConsoleFD = o.Listener, o.Console
	for _, fd := range []int{o.Listener, o.Console} {
		if fd >= 0 {
			fds = append(fds, fd)
		}
	}
	for _, list := range [][]wire.Hook{o.Plan.CreateContainerHooks, o.Plan.StartContainerHooks} {
		if len(list) > 0 {
			// All hooks have the same.
			for _, fd := range []int{list[0].Stdout, list[0].Stderr} {
				if fd > 0 && !slices.Contains(fds, fd) {
					fds = append(fds, fd)
				}
			}
		}
	}
	if h := o.Plan.HotMounts; h != nil {
		h.NS = o.MountNS
		fds = append(fds, o.MountNS)
	}
	fds = append(fds, mountFDs(&o.Plan.Rootfs)...)
	if o.Cgroup != nil {
		o.Plan.CgroupTasks = o.Cgroup.Tasks
		fds = append(fds, o.Cgroup.Tasks...)
	}
	return fds
}

// mountFDs lists the detached mounts that the parent has opened.
func mountFDs(r *wire.Rootfs) (fds []int) {
	if fd := r.FD; fd > 0 {
		fds = append(fds, fd)
	}
	for i := range r.Mounts {
		m := &r.Mounts[i]
		if m.FD >= 0 {
			fds = append(fds, m.FD)
		}
		for j := range m.CgroupV1 {
			if fd := m.CgroupV1[j].FD; fd > 0 {
				fds = append(fds, fd)
			}
		}
	}
	if l := r.Layer; l != nil {
		if l.FD >= 0 {
			fds = append(fds, l.FD)
		}
		fds = append(fds, l.LowerFDs...)
	}
	return fds
}

// configure does what only the parent can for the waiting child, and sends the plan.
func (c *Child) configure(o Options) error {
	if err := creds.RaiseRlimits(c.PID, o.Plan.Process.Rlimits); err != nil {
		return err
	}
	if adj := o.Plan.Process.OOMScoreAdj; adj != nil {
		if err := writeProc(c.PID, "oom_score_adj", strconv.Itoa(*adj)); err != nil {
			return err
		}
	}
	if o.Joined != nil {
		if err := o.Joined(c.PID); err != nil {
			return err
		}
	}
	if o.Ready != nil {
		c.late = append(c.late, func() error { return o.Ready(c.PID) })
	}
	if o.HookState != nil {
		o.Plan.HookState = o.HookState(c.PID)
	}
	soft, hard := nsenter.Nofile()
	o.Plan.Process.NofileSoft, o.Plan.Process.NofileHard = soft, hard
	if err := c.conn.Send(wire.KindPlan, o.Plan.Encode()); err != nil {
		return c.lost(fmt.Errorf("send plan to the init stage: %w", err))
	}
	return nil
}

// hideLeaks marks what berth's caller left open close-on-exec: only the standard
// streams and the fds it promised pass (CVE-2024-21626). berth's own are so already.
func hideLeaks(preserve int) error {
	first := 3 + preserve
	err := unix.CloseRange(uint(first), ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// Before v5.11.
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("read /proc/self/fd: %w", err)
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
