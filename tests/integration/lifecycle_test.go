package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestLifeCycle(t *testing.T) {
	x := New(t)
	b := x.Bundle(Args("/bin/probe", "pause"), func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.example.key": "value"}
	})
	before := time.Now().Add(-time.Minute)
	c := x.Create(b)

	s := c.State()
	Equal(x, "ociVersion", s.OCIVersion[:2], "1.")
	Equal(x, "id", s.ID, c.ID)
	Equal(x, "status", s.Status, "created")
	Equal(x, "pid", s.Pid, c.Pid)
	Equal(x, "bundle", s.Bundle, b.Dir)
	Equal(x, "annotation", s.Annotations["org.example.key"], "value")
	if s.Created.Before(before) || s.Created.After(time.Now().Add(time.Minute)) {
		x.Errorf("created is %v, now is %v", s.Created, time.Now())
	}
	if !Alive(s.Pid) {
		x.Errorf("init %d is not alive after create", s.Pid)
	}
	if out := c.Proc.Out(); out != "" {
		x.Errorf("the process ran before start: %q", out)
	}

	x.OK("start", c.ID)
	c.WaitOut("ready")
	Equal(x, "status after start", c.State().Status, "running")
	Equal(x, "pid after start", c.State().Pid, c.Pid)

	x.OK("kill", c.ID)
	c.WaitStatus("stopped")
	Equal(x, "pid when stopped", c.State().Pid, 0)
	Equal(x, "exit status of init", c.WaitExit().ExitStatus(), 0)

	x.OK("delete", c.ID)
	x.NothingLeft()
	x.Refused(x.Do("state", c.ID), 1, "does not exist")
}

// The fields and their JSON names are what callers decode.
func TestStateOutput(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 indents by four spaces and prints the rootfs as config.json has it")
	c := x.Up()
	r := x.OK("state", c.ID)
	if r.Stderr != "" {
		x.Errorf("state writes to stderr: %q", r.Stderr)
	}
	var fields map[string]any
	x.JSON(r.Stdout, &fields)
	for _, name := range []string{"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"} {
		if _, ok := fields[name]; !ok {
			x.Errorf("state has no %s: %s", name, r.Stdout)
		}
	}
	if !strings.HasPrefix(r.Stdout, "{\n  \"") {
		x.Errorf("state is not indented by two spaces: %q", r.Stdout)
	}
	Equal(x, "rootfs", fields["rootfs"], any(c.Bundle.Rootfs))
	created, ok := fields["created"].(string)
	if _, err := time.Parse(time.RFC3339Nano, created); err != nil || !ok {
		x.Errorf("created %q is no RFC 3339 time", created)
	}
}

// An init that died but was not reaped by its new parent is stopped, too.
func TestZombieInitIsStopped(t *testing.T) {
	x := New(t)
	c := x.Up(Args("/bin/true"))
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}

func TestIllegalTransitions(t *testing.T) {
	x := New(t)
	b := x.Bundle(Args("/bin/probe", "pause"))
	c := x.Create(b)
	x.Sub("create an existing id", func(y *Test) {
		r := x.Do("create", "--bundle", b.Dir, c.ID)
		y.Refused(r, 1, "container with given ID already exists")
	}, Serial)
	x.Sub("exec in a created container", func(y *Test) {
		// runc and crun allow it: the namespaces are there.
		r := c.Exec("/bin/true")
		y.Code(r, 0)
	}, Serial)
	c.Start()
	x.Sub("start a running container", func(y *Test) {
		y.Refused(x.Do("start", c.ID), 1, "cannot start an already running container")
	}, Serial)
	x.Sub("delete a running container", func(y *Test) {
		y.Refused(x.Do("delete", c.ID), 1, "cannot delete container "+c.ID+" that is not stopped: running")
	}, Serial)
	Equal(x, "status", c.State().Status, "running")
	x.Sub("bad signals", func(y *Test) {
		y.PeerFails("crun", "1.8.1 exits with 0 on an unknown signal")
		for _, signal := range []string{"NOSUCH", "SIGNOSUCH", "999", "-1", "1x"} {
			y.Refused(x.Do("kill", "--", c.ID, signal), 1, "unknown signal|signal")
		}
	}, Serial)
	// crun took one of the bad signals above for SIGTERM.
	x.OK("delete", "--force", c.ID)
	c = x.Create(b)
	c.Start()
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.Sub("start a stopped container", func(y *Test) {
		y.Refused(x.Do("start", c.ID), 1, "cannot start a container that has stopped")
	}, Serial)
	x.Sub("kill a stopped container", func(y *Test) {
		y.Refused(x.Do("kill", c.ID, "TERM"), 1, "container not running")
	}, Serial)
	x.Sub("kill --all of a stopped container", func(y *Test) {
		y.Code(x.Do("kill", "--all", c.ID, "KILL"), 0)
	}, Serial)
	x.Sub("exec in a stopped container", func(y *Test) {
		y.Refused(c.Exec("/bin/true"), 255, "cannot exec in a stopped container|container not running")
	}, Serial)
	x.Sub("pause a stopped container", func(y *Test) {
		y.Refused(x.Do("pause", c.ID), 1)
	}, Serial)
	x.OK("delete", c.ID)
	x.Refused(x.Do("delete", c.ID), 1, "does not exist")
}

func TestMissingContainer(t *testing.T) {
	x := New(t)
	for _, verb := range []string{"state", "start", "kill", "delete", "pause", "resume", "ps"} {
		x.Sub(verb, func(y *Test) {
			y.Refused(x.Do(verb, "nosuch"), 1, "does not exist")
			y.NothingLeft()
		})
	}
	x.Sub("exec", func(y *Test) {
		y.Refused(x.Do("exec", "nosuch", "true"), 255, "does not exist")
	})
	x.Sub("delete force", func(y *Test) {
		r := x.Do("delete", "--force", "nosuch")
		y.Code(r, 0)
		Equal(y, "output", r.Stdout+r.Stderr, "")
	})
}

// Callers delete a container they created but never started: its init is killed.
func TestDeleteCreated(t *testing.T) {
	x := New(t)
	c := x.Create(x.Bundle())
	x.OK("delete", c.ID)
	x.NothingLeft()
}

func TestDeleteForceAtAnyState(t *testing.T) {
	x := New(t)
	for _, state := range []string{"created", "running", "paused", "stopped"} {
		x.Sub(state, func(y *Test) {
			c := y.Create(y.Bundle(Args("/bin/probe", "pause")))
			if state != "created" {
				c.Start()
			}
			switch state {
			case "paused":
				y.OK("pause", c.ID)
			case "stopped":
				y.OK("kill", c.ID, "9")
				c.WaitStatus("stopped")
			}
			r := y.OK("delete", "--force", c.ID)
			Equal(y, "output", r.Stdout+r.Stderr, "")
			y.NothingLeft()
			y.OK("delete", "-f", c.ID)
		}, needFreezer(state == "paused"))
	}
}

// needFreezer needs root for the freezer where wanted.
func needFreezer(wanted bool) Need {
	if wanted {
		return Cgroup("freezer")
	}
	return Need{}
}

// Exit statuses of the workload pass through a foreground run and exec.
func TestExitStatus(t *testing.T) {
	x := New(t)
	for _, code := range []int{0, 1, 42, 126, 255} {
		x.Sub(fmt.Sprint("run exits with ", code), func(y *Test) {
			r := y.Foreground(y.Bundle(Args("/bin/probe", "exit", fmt.Sprint(code))))
			y.Code(r, code)
			Equal(y, "stderr", r.Stderr, "")
			y.NothingLeft()
		})
	}
	c := x.Up()
	for _, code := range []int{0, 1, 42, 126, 254} {
		x.Code(c.Exec("/bin/probe", "exit", fmt.Sprint(code)), code)
	}
	x.Code(c.Exec("/bin/sh", "-c", "kill -TERM $$"), 128+15)
	x.Code(c.Exec("/bin/sh", "-c", "kill -KILL $$"), 128+9)
	// Signal 0 to the init is a test for its existence.
	x.OK("kill", c.ID, "0")
}

func TestKilledByHost(t *testing.T) {
	x := New(t)
	for name, signal := range map[string]string{"KILL": "9", "SIGKILL": "9", "9": "9"} {
		x.Sub(name, func(y *Test) {
			p := y.RunCmd(y.Bundle(Args("/bin/probe", "pause"))).Start()
			y.Until("ready", func() bool { return strings.Contains(p.Out(), "ready") })
			y.OK("kill", y.ID, name)
			y.Code(p.Wait(), 128+9)
			y.NothingLeft()
			_ = signal
		})
	}
}

// Signals sent to a foreground run reach the container's init.
func TestSignalForwarding(t *testing.T) {
	x := New(t)
	p := x.RunCmd(x.Bundle(Args("/bin/probe", "signals"))).Start()
	x.Until("ready", func() bool { return strings.Contains(p.Out(), "ready") })
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGTERM} {
		p.Signal(s)
		name := map[syscall.Signal]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 10: "SIGUSR1", 12: "SIGUSR2", 15: "SIGTERM"}[s]
		x.Until("got "+name, func() bool { return strings.Contains(p.Out(), "got "+name) })
	}
	x.Code(p.Wait(), 0)
	x.NothingLeft()
}

// Those that are rarely sent may be dropped while the workload is young, and reach it
// after that.
func TestForwardingOfSeldomSignals(t *testing.T) {
	x := New(t)
	p := x.RunCmd(x.Bundle(Args("/bin/probe", "signals"))).Start()
	x.Until("ready", func() bool { return strings.Contains(p.Out(), "ready") })
	for _, s := range []syscall.Signal{syscall.SIGALRM, syscall.SIGCONT, syscall.SIGPWR} {
		name := unix.SignalName(s)
		x.Until("got "+name, func() bool {
			p.Signal(s)
			return strings.Contains(p.Out(), "got "+name)
		})
	}
	p.Signal(syscall.SIGTERM)
	x.Code(p.Wait(), 0)
	x.NothingLeft()
}

func TestKillSignals(t *testing.T) {
	x := New(t)
	c := x.Up(Args("/bin/probe", "signals"))
	c.WaitOut("ready")
	for _, way := range []struct{ argument, want string }{
		{"HUP", "SIGHUP"}, {"SIGUSR1", "SIGUSR1"}, {"12", "SIGUSR2"}, {"WINCH", "SIGWINCH"},
	} {
		x.OK("kill", c.ID, way.argument)
		c.WaitOut("got " + way.want)
	}
	// The default is SIGTERM.
	x.OK("kill", c.ID)
	c.WaitStatus("stopped")
	x.Contains("stdout", c.Proc.Out(), "got SIGTERM")
}

func TestKillSignalInLowerCase(t *testing.T) {
	x := New(t, Not("crun", "1.8.1 says nothing and sends nothing"))
	c := x.Up(Args("/bin/probe", "signals"))
	c.WaitOut("ready")
	x.OK("kill", c.ID, "sigusr1")
	c.WaitOut("got SIGUSR1")
	x.OK("kill", c.ID, "int")
	c.WaitOut("got SIGINT")
}

// The init process becomes a child of the caller's subreaper (here: the suite)
// when create has ended, with its exit status.
func TestInitIsReparented(t *testing.T) {
	x := New(t)
	c := x.Up(Args("/bin/probe", "exit", "7"))
	Equal(x, "exit status", c.WaitExit().ExitStatus(), 7)
	c.WaitStatus("stopped")
}

func TestRunDetached(t *testing.T) {
	x := New(t)
	b := x.Bundle(Args("/bin/probe", "pause"))
	pidFile := filepath.Join(x.Dir, "pid")
	p := x.RunCmd(b, "--detach", "--pid-file", pidFile).Start()
	x.Code(p.Wait(), 0)
	s := x.State(x.ID)
	Equal(x, "status", s.Status, "running")
	Equal(x, "pid file", x.ReadFile(pidFile), fmt.Sprint(s.Pid))
	x.Until("ready", func() bool { return strings.Contains(p.Out(), "ready") })
	x.OK("delete", "--force", x.ID)
	x.NothingLeft()
}

func TestRunKeep(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 has no --keep")
	x.Code(x.Foreground(x.Bundle(), "--keep"), 0)
	Equal(x, "status", x.State(x.ID).Status, "stopped")
	x.OK("delete", x.ID)
	x.NothingLeft()
}

func TestPidFile(t *testing.T) {
	x := New(t)
	c := x.Up()
	text := x.ReadFile("pid." + c.ID)
	Equal(x, "pid file of create", text, fmt.Sprint(c.State().Pid))
	file := filepath.Join(x.Dir, "exec.pid")
	x.Code(c.ExecCmd([]string{"--detach", "--pid-file", file}, "/bin/sleep", "100").Run(), 0)
	var pid int
	_, err := fmt.Sscanf(x.ReadFile(file)+"|", "%d|", &pid)
	x.Must(err)
	if !Alive(pid) || pid == c.Pid {
		x.Errorf("the pid file of exec names %d", pid)
	}
	// A pid file that cannot be written is an error, and no container stays.
	id := x.NewID()
	b := x.BundleFor(id)
	r := x.Do("create", "--bundle", b.Dir, "--pid-file", filepath.Join(x.Dir, "no/such/pid"), id)
	x.Refused(r, 1, "no such file or directory|No such file")
	_, err = os.Stat(filepath.Join(x.Root, id))
	if err == nil {
		x.Errorf("create failed and its state is still there")
	}
}

// A bundle without --bundle is the working directory.
func TestBundleIsWorkingDirectory(t *testing.T) {
	x := New(t)
	b := x.Bundle(Shell("echo here"))
	cmd := x.Cmd("run", x.ID)
	cmd.Dir = b.Dir
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "here\n")
}

// A config.json without process can be created; starting it is an error.
func TestNoProcess(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 refuses a config without process at create")
	x.PeerFails("crun", "1.8.1 crashes or refuses at create")
	c := x.Create(x.Bundle(func(s *specs.Spec) { s.Process = nil }))
	Equal(x, "status", c.State().Status, "created")
	x.Refused(x.Do("start", c.ID), 1, "process")
	x.OK("delete", "--force", c.ID)
}

// Later edits of config.json do not touch a created container.
func TestConfigIsReadAtCreate(t *testing.T) {
	x := New(t)
	b := x.Bundle(Shell("echo first"))
	c := x.Create(b)
	b.Save(Shell("echo second"), func(s *specs.Spec) { s.Process.Cwd = "/tmp" })
	x.OK("start", c.ID)
	c.WaitStatus("stopped")
	Equal(x, "stdout", c.Proc.Out(), "first\n")
}

// What has been killed can be deleted at once, also before the kernel has given the
// process a processor to end on.
func TestDeleteAfterKill(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle(Args("/bin/probe", "pause"))
	for range 20 {
		c := x.Create(b)
		x.OK("start", c.ID)
		x.OK("kill", c.ID, "KILL")
		x.OK("delete", c.ID)
	}
}
