package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"golang.org/x/sys/unix"
)

// exitInfo says that the kernel keeps the status of a reaped process for the
// holders of its pidfd.
func exitInfo() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major > 6 || major == 6 && minor >= 15)
}

// The caller of wait is not the parent: the suite is, and takes the status away.
func TestWaitReaped(t *testing.T) {
	x := New(t, Berth, Kernel("a kernel that tells the status of a reaped process (v6.15)", exitInfo))
	c := x.Create(x.Bundle(Args("/bin/sh", "-c", "while [ ! -e /go ]; do sleep 0.02; done; exit 7")))
	x.OK("start", c.ID)
	first, second := x.Cmd("wait", c.ID).Start(), x.Cmd("wait", "--print", c.ID).Start()
	x.Until("both hold a pidfd", func() bool { return holdsPidfd(first.Pid()) && holdsPidfd(second.Pid()) })
	x.WriteFile(c.Bundle.Path("go"), "", 0o644)
	Equal(x, "status the parent got", c.WaitExit().ExitStatus(), 7)
	Equal(x, "exit status of wait", first.Wait().Code, 7)
	r := second.Wait()
	Equal(x, "exit status of wait --print", r.Code, 0)
	Equal(x, "output of wait --print", r.Stdout, "7\n")
	// Both have recorded it.
	Equal(x, "wait after the end", x.Do("wait", c.ID).Code, 7)
	x.OK("delete", c.ID)
	x.Refused(x.Do("wait", c.ID), 1, "container does not exist")
}

func holdsPidfd(pid int) bool {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return false
	}
	for _, link := range links {
		buf := make([]byte, 128)
		n, err := unix.Readlink(link, buf)
		if err == nil && strings.Contains(string(buf[:n]), "pidfd") {
			return true
		}
	}
	return false
}

// A zombie's status is there until its parent takes it.
func TestWaitZombie(t *testing.T) {
	x := New(t, Berth)
	c := x.Up()
	x.OK("kill", c.ID, "KILL")
	Equal(x, "exit status of wait", x.Do("wait", c.ID).Code, 128+int(syscall.SIGKILL))
	c.WaitExit()
	Equal(x, "after it was reaped", x.Do("wait", c.ID).Code, 128+int(syscall.SIGKILL))
}

func TestWaitKept(t *testing.T) {
	x := New(t, Berth)
	r := x.Foreground(x.Bundle(Shell("exit 5")), "--keep")
	Equal(x, "exit status of run", r.Code, 5)
	Equal(x, "exit status of wait", x.Do("wait", x.ID).Code, 5)
	x.OK("delete", x.ID)
}

// Nobody watched: wait says so.
func TestWaitTooLate(t *testing.T) {
	x := New(t, Berth)
	c := x.Up()
	x.OK("kill", c.ID)
	c.WaitExit()
	x.Refused(x.Do("wait", c.ID), 1, "exit status unknown")
}

func TestDeleteAll(t *testing.T) {
	x := New(t, Berth)
	c := x.Up()
	stopped := x.NewID()
	r := x.Do("run", "--keep", "--bundle", x.BundleFor(stopped).Dir, stopped)
	Equal(x, "exit status of run", r.Code, 0)
	r = x.Do("delete", "--all")
	x.Refused(r, 1, c.ID+": cannot delete container .* that is not stopped: running")
	Equal(x, "ids left", x.OK("list", "-q").Stdout, c.ID+"\n")
	x.Refused(x.Do("delete", "--all", "x"), 1, `unexpected argument "x"`)
	x.OK("delete", "--all", "--force")
	Equal(x, "list", x.OK("list", "--format", "json").Stdout, "null\n")
	x.OK("delete", "--all")
}
