package integration

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// seccompAgent answers the notifications of filters: every system call it is asked
// about fails with ENOMEDIUM, which nothing else gives.
type seccompAgent struct {
	x      *Test
	path   string
	states chan specs.ContainerProcessState
}

func newSeccompAgent(x *Test) *seccompAgent {
	x.Helper()
	a := &seccompAgent{x: x, path: filepath.Join(x.Dir, "agent.sock"), states: make(chan specs.ContainerProcessState, 8)}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.path, Net: "unix"})
	x.Must(err)
	x.Own(a.path)
	x.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			a.serve(conn)
		}
	}()
	return a
}

// serve takes one state as runc's agent does: in one call.
func (a *seccompAgent) serve(conn *net.UnixConn) {
	data, oob := make([]byte, 16<<10), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
	_ = conn.Close()
	if err != nil {
		a.x.Errorf("agent: %v", err)
		return
	}
	var s specs.ContainerProcessState
	if err := json.Unmarshal(data[:n], &s); err != nil {
		a.x.Errorf("agent: %v: %q", err, data[:n])
		return
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		a.x.Errorf("agent: %d control messages, %v", len(messages), err)
		return
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		a.x.Errorf("agent: %d fds, %v", len(fds), err)
		return
	}
	a.states <- s
	go answer(fds[0])
}

// answer serves a listener until the last process under its filter has ended.
func answer(fd int) {
	defer unix.Close(fd)
	type notification struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
		_          [64]byte
	}
	type response struct {
		id, val      uint64
		error, flags int32
		_            [64]byte
	}
	const recv, send = 0xc0502100, 0xc0182101
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR || fds[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var n notification
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), recv, uintptr(unsafe.Pointer(&n))); e != 0 {
			continue
		}
		r := response{id: n.id, error: -int32(unix.ENOMEDIUM)}
		// The process may have been killed meanwhile.
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), send, uintptr(unsafe.Pointer(&r)))
	}
}

// notifying is a profile under which the agent is asked about mkdir.
func notifying(a *seccompAgent) Edit {
	return func(s *specs.Spec) {
		s.Version = "1.1.0"
		s.Annotations = map[string]string{"a": "b"}
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			ListenerPath:  a.path, ListenerMetadata: "some words",
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActNotify}},
		}
	}
}

// check compares a state with what the runtime has to send.
func (a *seccompAgent) check(s specs.ContainerProcessState, pid int, id, bundle, status string) {
	x := a.x
	x.Helper()
	Equal(x, "fds", strings.Join(s.Fds, " "), "seccompFd")
	Equal(x, "metadata", s.Metadata, "some words")
	if pid != 0 {
		Equal(x, "pid", s.Pid, pid)
	}
	if s.Version == "" || s.State.Version == "" {
		x.Errorf("no version: %+v", s)
	}
	Equal(x, "state id", s.State.ID, id)
	Equal(x, "state bundle", s.State.Bundle, bundle)
	Equal(x, "state annotation", s.State.Annotations["a"], "b")
	if IsBerth() {
		Equal(x, "state status", string(s.State.Status), status)
	}
}

const tryMkdir = "mkdir:/tmp/made"

func tried(x *Test, r Result) string {
	x.Helper()
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	var t Tried
	x.JSON(r.Stdout, &t)
	return t[tryMkdir]
}

// The agent gets the listener and the state of the container, from run, start and
// exec, with and without no_new_privs, as root and as another user.
func TestSeccompNotify(t *testing.T) {
	for name, edit := range map[string]Edit{
		"plain":          func(*specs.Spec) {},
		"no new privs":   func(s *specs.Spec) { s.Process.NoNewPrivileges = true },
		"user":           func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 1000} },
		"user namespace": mapped,
	} {
		t.Run(name, func(t *testing.T) {
			need := IDs
			if name == "user namespace" {
				need = Root
			}
			x := New(t, need, Not("crun", "its agent protocol takes another file"))
			a := newSeccompAgent(x)
			b := x.Bundle(Args("/bin/probe", "try", tryMkdir), notifying(a), edit)
			if name == "user namespace" {
				chownRootfs(x, b)
			}
			Equal(x, "mkdir in run", tried(x, x.Foreground(b)), "ENOMEDIUM")
			a.check(<-a.states, 0, x.ID, b.Dir, "created")
			x.NothingLeft()

			b.Save(Args("/bin/probe", "pause"))
			c := x.Create(b)
			c.Start()
			a.check(<-a.states, c.Pid, x.ID, b.Dir, "created")
			pidFile := filepath.Join(x.Dir, "exec.pid")
			r := c.ExecCmd([]string{"--pid-file", pidFile}, "/bin/probe", "try", tryMkdir).Run()
			Equal(x, "mkdir in exec", tried(x, r), "ENOMEDIUM")
			s := <-a.states
			a.check(s, 0, x.ID, b.Dir, "running")
			if s.Pid == c.Pid || s.State.Pid != c.Pid {
				x.Errorf("exec: pid %d, pid of the container %d, want another and %d", s.Pid, s.State.Pid, c.Pid)
			}
			// Nothing of the hand-over is left in the workload.
			var report Report
			x.JSON(c.Exec("/bin/probe", "report").Stdout, &report)
			<-a.states
			for fd, what := range report.FDs {
				if fd > 2 {
					x.Errorf("fd %d of the workload is %s", fd, what)
				}
			}
			Equal(x, "seccomp mode", report.Status["Seccomp"], "2")
			Equal(x, "seccomp filters", report.Status["Seccomp_filters"], "1")
		})
	}
}

// An ordinary user's berth may not look into its init stage.
func TestSeccompNotifyRootless(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS)
	a := newSeccompAgent(x)
	b := x.Bundle(Args("/bin/probe", "try", tryMkdir), notifying(a))
	Equal(x, "mkdir", tried(x, x.Foreground(b)), "ENOMEDIUM")
	a.check(<-a.states, 0, x.ID, b.Dir, "created")
}

// The filter needs to allow nothing but execve for the hand-over.
func TestSeccompNotifyNarrow(t *testing.T) {
	x := New(t, Berth)
	a := newSeccompAgent(x)
	b := x.Bundle(Args("/bin/true"), notifying(a), func(s *specs.Spec) {
		s.Linux.Seccomp.DefaultAction = specs.ActKillProcess
		s.Linux.Seccomp.Syscalls = append(s.Linux.Seccomp.Syscalls,
			specs.LinuxSyscall{Names: []string{"execve"}, Action: specs.ActAllow})
	})
	// busybox dies at its first system call: SIGSYS.
	x.Code(x.Foreground(b), 128+int(syscall.SIGSYS))
	a.check(<-a.states, 0, x.ID, b.Dir, "created")
}

// Without an agent nothing runs.
func TestSeccompNotifyRefused(t *testing.T) {
	x := New(t, Berth)
	a := newSeccompAgent(x)
	b := x.Bundle(Args("/bin/probe", "pause"), notifying(a))
	x.Must(os.Remove(a.path))
	x.Refused(x.Foreground(b), 1, "listenerPath .*agent.sock: no such file or directory")
	x.NothingLeft()
	c := x.Create(b)
	x.Refused(x.Do("start", c.ID), 1, "listenerPath .*agent.sock: no such file or directory")
	c.WaitStatus("stopped")
	x.ContainsNot("the workload", c.Proc.Out(), "ready")
	x.OK("delete", c.ID)

	b.Save(func(s *specs.Spec) { s.Linux.Seccomp.ListenerPath = "" })
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, "linux.seccomp.listenerMetadata: must not be set|linux.seccomp.listenerPath: not set")
	b.Save(func(s *specs.Spec) {
		s.Linux.Seccomp.ListenerPath = a.path
		s.Linux.Seccomp.Syscalls[0].Names = []string{"write"}
	})
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, "SCMP_ACT_NOTIFY cannot be used for write")
}
