package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A runtime killed at any moment of create leaves nothing that delete --force
// cannot clear.
func TestKilledDuringCreate(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 writes its state late and forgets the rest")
	x.PeerFails("crun", "1.8.1 writes its state late and forgets the rest")
	b := x.Bundle(Args("/bin/probe", "pause"), func(s *specs.Spec) {
		// A hook makes the middle of create longer.
		addHook(s, "createRuntime", shellHook("createRuntime", "exit 0"))
	})
	start := time.Now()
	x.Create(b)
	whole := time.Since(start)
	x.OK("delete", "--force", x.ID)
	x.NothingLeft()
	done := 0
	for i := range 30 {
		p := x.Cmd("create", "--bundle", b.Dir, x.ID).Start()
		// Spread over the time a create takes; where exactly does not matter.
		time.Sleep(time.Duration(rand.Int64N(int64(whole) * 5 / 4)))
		p.Signal(syscall.SIGKILL)
		if p.Wait().Code == 0 {
			done++
		}
		x.OK("delete", "--force", x.ID)
		var left []string
		x.Until(fmt.Sprintf("an empty host after kill %d", i), func() bool { left = x.Left(); return len(left) == 0 })
	}
	x.Logf("of 30 creates %d were through before the kill", done)
}

// And the same while run starts, and while delete deletes.
func TestKilledDuringRunAndDelete(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle(Args("/bin/probe", "pause"))
	for range 10 {
		p := x.RunCmd(b).Start()
		time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
		p.Signal(syscall.SIGKILL)
		p.Wait()
		x.OK("delete", "--force", x.ID)
		x.NothingLeft()
	}
	for range 10 {
		x.Create(b)
		p := x.Cmd("delete", "--force", x.ID).Start()
		time.Sleep(time.Duration(rand.Int64N(int64(15 * time.Millisecond))))
		p.Signal(syscall.SIGKILL)
		p.Wait()
		x.OK("delete", "--force", x.ID)
		x.NothingLeft()
	}
}

// Two creates of one id at the same time: exactly one wins.
func TestCreateRace(t *testing.T) {
	x := New(t)
	b := x.Bundle()
	for range 5 {
		var procs []*Proc
		for range 4 {
			procs = append(procs, x.Cmd("create", "--bundle", b.Dir, x.ID).Start())
		}
		won := 0
		for _, p := range procs {
			if r := p.Wait(); r.Code == 0 {
				won++
			} else if !strings.Contains(r.Says(), "already exists") && IsBerth() {
				x.Errorf("%v: want already exists", r)
			}
		}
		x.PeerFails("runc", "1.1.5 lets the losers take the winner's cgroup away at times")
		Equal(x, "creates that won", won, 1)
		Equal(x, "status", x.State(x.ID).Status, "created")
		x.OK("delete", "--force", x.ID)
	}
}

func TestConcurrentRuns(t *testing.T) {
	x := New(t)
	var procs []*Proc
	for i := range Fewer(20) {
		id := x.NewID()
		b := x.BundleFor(id, Shell(fmt.Sprint("echo ", i)))
		procs = append(procs, x.Cmd("run", "--bundle", b.Dir, id).Start())
	}
	for i, p := range procs {
		r := p.Wait()
		x.Code(r, 0)
		Equal(x, "stdout", r.Stdout, fmt.Sprintln(i))
	}
	x.NothingLeft()
}

// Verbs on one container from several sides at once do not trip over each other.
func TestConcurrentVerbs(t *testing.T) {
	x := New(t)
	c := x.Up()
	var procs []*Proc
	for range 5 {
		procs = append(procs, x.Cmd("state", c.ID).Start(), x.Cmd("list").Start(), c.ExecCmd(nil, "/bin/true").Start(),
			x.Cmd("kill", c.ID, "0").Start())
	}
	for _, p := range procs {
		x.Code(p.Wait(), 0)
	}
	// Two forced deletes: both are content.
	a, b := x.Cmd("delete", "--force", c.ID).Start(), x.Cmd("delete", "--force", c.ID).Start()
	x.PeerFails("runc", "1.1.5: one of them finds the state gone at times")
	x.PeerFails("crun", "1.8.1: one of them finds the state gone")
	x.Code(a.Wait(), 0)
	x.Code(b.Wait(), 0)
	x.NothingLeft()
}

// The caller's death ends a foreground run's container with it or leaves it to
// delete; a create that was waiting for its caller does not hang.
func TestCallerDies(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 leaves its cgroups at times")
	p := x.RunCmd(x.Bundle(Args("/bin/probe", "pause"))).Start()
	x.Until("ready", func() bool { return strings.Contains(p.Out(), "ready") })
	p.Signal(syscall.SIGKILL)
	x.Code(p.Wait(), 137)
	x.OK("delete", "--force", x.ID)
	x.NothingLeft()
}

// newSyscalls are those an old kernel does not know, and some seccomp filters of
// engines (a runtime in a container) do not let pass.
var newSyscalls = map[string]int{
	"openat2": unix.SYS_OPENAT2, "open_tree": unix.SYS_OPEN_TREE, "move_mount": unix.SYS_MOVE_MOUNT, "fsopen": unix.SYS_FSOPEN,
	"fsconfig": unix.SYS_FSCONFIG, "fsmount": unix.SYS_FSMOUNT, "fspick": unix.SYS_FSPICK, "mount_setattr": unix.SYS_MOUNT_SETATTR,
	"clone3": unix.SYS_CLONE3, "pidfd_open": unix.SYS_PIDFD_OPEN, "pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"pidfd_getfd": unix.SYS_PIDFD_GETFD, "close_range": unix.SYS_CLOSE_RANGE, "faccessat2": unix.SYS_FACCESSAT2,
	"statx": unix.SYS_STATX, "copy_file_range": unix.SYS_COPY_FILE_RANGE, "epoll_pwait2": unix.SYS_EPOLL_PWAIT2,
	"rseq": unix.SYS_RSEQ, "set_mempolicy_home_node": 450, "cachestat": 451, "fchmodat2": 452, "statmount": 457, "listmount": 458,
}

// Without the newer system calls the life cycle still works: each missing alone,
// and all of them.
func TestOldKernel(t *testing.T) {
	x := New(t, Berth)
	sets := map[string][]string{"all": {}}
	for name, number := range newSyscalls {
		sets[name] = []string{fmt.Sprint(number)}
		sets["all"] = append(sets["all"], fmt.Sprint(number))
	}
	for name, numbers := range sets {
		x.Sub(name, func(y *Test) {
			role := append([]string{"enosys"}, numbers...)
			run := func(args ...string) Result {
				y.Helper()
				cmd := y.Cmd(args...)
				cmd.Role = role
				r := cmd.Run()
				y.Code(r, 0)
				return r
			}
			dir := y.Mkdir("source")
			b := y.Bundle(Args("/bin/probe", "pause"), Mounted("/data", "bind", dir, "rbind", "ro", "nosuid"), func(s *specs.Spec) {
				s.Root.Readonly = true
				s.Process.NoNewPrivileges = true
			})
			cmd := y.Cmd()
			cmd.Role = role
			c := y.CreateCmd(y.ID, b, cmd)
			run("start", c.ID)
			c.WaitOut("ready")
			var tried Tried
			y.JSON(run("exec", c.ID, "/bin/probe", "try", "create:/data/x", "create:/x", "read:/proc/version", "put:/dev/null:x").Stdout, &tried)
			Same(y, "tried", tried, Tried{"create:/data/x": "EROFS", "create:/x": "EROFS", "read:/proc/version": "ok", "put:/dev/null:x": "ok"})
			run("state", c.ID)
			run("kill", c.ID, "KILL")
			c.WaitStatus("stopped")
			run("delete", c.ID)
			y.NothingLeft()
		})
	}
}

// Stray variables of other runtimes' bootstraps have no effect.
func TestStrayEnvironment(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 takes a stray _LIBCONTAINER_INITPIPE for its own")
	cmd := x.RunCmd(x.Bundle(Shell("echo fine")))
	cmd.Env = []string{"_LIBCONTAINER_INITPIPE=0", "_LIBCONTAINER_INITTYPE=standard", "_LIBCONTAINER_LOGPIPE=9", "GODEBUG=x=y", "GOMAXPROCS=1"}
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "fine\n")
}

// Closed standard streams of the caller do not mix up the descriptors.
func TestClosedStreams(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 does not expect it")
	x.PeerFails("crun", "1.8.1 does not expect it")
	b := x.Bundle(Args("/bin/probe", "pause"))
	for _, script := range []string{`exec "$0" "$@" 0<&-`, `exec "$0" "$@" 1>&-`, `exec "$0" "$@" 2>&-`, `exec "$0" "$@" 0<&- 1>&- 2>&-`} {
		cmd := x.Cmd()
		cmd.Path, cmd.Args = Busybox(), append([]string{"sh", "-c", script, Runtime(), "--root", x.Root}, "create", "--bundle", b.Dir, x.ID)
		x.Code(cmd.Run(), 0)
		pid := x.State(x.ID).Pid
		x.OK("start", x.ID)
		for n, link := range hostFDs(x, pid) {
			if n > 2 {
				x.Errorf("%s: descriptor %d is %s", script, n, link)
			}
		}
		x.OK("delete", "--force", x.ID)
	}
}
