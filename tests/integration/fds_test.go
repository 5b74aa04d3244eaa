package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "berth/tests/harness"

	"golang.org/x/sys/unix"
)

// pipeWith returns the read end of a pipe that holds text.
func pipeWith(x *Test, text string) *os.File {
	x.Helper()
	r, w, err := os.Pipe()
	x.Must(err)
	_, err = w.WriteString(text)
	x.Must(err)
	x.Must(w.Close())
	x.Cleanup(func() { _ = r.Close() })
	return r
}

// hostDir opens a directory of the host.
func hostDir(x *Test) *os.File {
	x.Helper()
	f, err := os.Open("/etc")
	x.Must(err)
	x.Cleanup(func() { _ = f.Close() })
	return f
}

// Only 0, 1 and 2 reach the container, whatever the caller leaks.
func TestNoLeakedDescriptors(t *testing.T) {
	x := New(t)
	leaked := []*os.File{hostDir(x), pipeWith(x, "secret"), hostDir(x)}
	check := func(what string, r Result) {
		x.Helper()
		x.Code(r, 0)
		var report Report
		x.JSON(r.Stdout, &report)
		for n, link := range report.FDs {
			if n > 2 {
				x.Errorf("%s: descriptor %d is %s", what, n, link)
			}
		}
		Equal(x, what+": descriptors", len(report.FDs), 3)
	}
	cmd := x.RunCmd(x.Bundle(Args("/bin/probe", "report")))
	cmd.ExtraFiles = leaked
	check("run", cmd.Run())

	cmd = x.Cmd()
	cmd.ExtraFiles = leaked
	c := x.CreateCmd(x.NewID(), x.BundleFor("second", Args("/bin/probe", "pause")), cmd)
	c.Start()
	for n, link := range hostFDs(x, c.Pid) {
		if n > 2 {
			x.Errorf("create: descriptor %d of the init is %s", n, link)
		}
	}
	cmd = c.ExecCmd(nil, "/bin/probe", "report")
	cmd.ExtraFiles = leaked
	check("exec", cmd.Run())
}

// hostFDs lists the descriptors of a process as the host sees them.
func hostFDs(x *Test, pid int) map[int]string {
	x.Helper()
	fds := map[int]string{}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	x.Must(err)
	for _, entry := range entries {
		var n int
		_, err := fmt.Sscan(entry.Name(), &n)
		x.Must(err)
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, entry.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		x.Must(err)
		if !GoRuntimeFD(link) {
			fds[n] = link
		}
	}
	return fds
}

// While it waits to be started the init holds no descriptor of the host's files.
func TestCreatedInitHoldsNoHostFiles(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 holds its exec fifo's directory")
	x.PeerFails("crun", "1.8.1 holds its exec fifo")
	cmd := x.Cmd()
	cmd.ExtraFiles = []*os.File{hostDir(x)}
	c := x.CreateCmd(x.ID, x.Bundle(), cmd)
	for n, link := range hostFDs(x, c.Pid) {
		if n > 2 && strings.HasPrefix(link, "/") && !strings.Contains(link, "memfd:") &&
			!strings.HasPrefix(link, c.Bundle.Rootfs) && link != "/" {
			x.Errorf("descriptor %d of the waiting init is %s", n, link)
		}
	}
}

func TestPreserveFDs(t *testing.T) {
	x := New(t)
	script := "cat <&3; cat <&4; ls /proc/self/fd | wc -l"
	files := func() []*os.File { return []*os.File{pipeWith(x, "three "), pipeWith(x, "four "), hostDir(x)} }
	cmd := x.RunCmd(x.Bundle(Shell(script)), "--preserve-fds", "2")
	cmd.ExtraFiles = files()
	r := cmd.Run()
	x.Code(r, 0)
	// 0 to 4 and the directory that ls reads.
	Equal(x, "run", r.Stdout, "three four 6\n")

	c := x.Up()
	cmd = c.ExecCmd([]string{"--preserve-fds=2"}, "/bin/sh", "-c", script)
	cmd.ExtraFiles = files()
	r = cmd.Run()
	x.Code(r, 0)
	Equal(x, "exec", r.Stdout, "three four 6\n")
}

// Socket activation: LISTEN_FDS descriptors pass, LISTEN_PID is the pid inside.
func TestListenFDs(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 knows no LISTEN_FDNAMES")
	x.PeerFails("crun", "1.8.1 knows no LISTEN_FDNAMES")
	cmd := x.RunCmd(x.Bundle(Args("/bin/probe", "listen", "3")), "--preserve-fds", "1")
	cmd.ExtraFiles = []*os.File{pipeWith(x, "first"), pipeWith(x, "second"), pipeWith(x, "kept")}
	cmd.Env = []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"}
	cmd.Role = []string{"listen"}
	r := cmd.Run()
	x.Code(r, 0)
	var report ListenReport
	x.JSON(r.Stdout, &report)
	Equal(x, "LISTEN_FDS", report.Fds, "2")
	Equal(x, "LISTEN_PID", report.Pid, fmt.Sprint(report.Self))
	Equal(x, "LISTEN_FDNAMES", report.Names, "a:b")
	Same(x, "read", report.Read, map[int]string{3: "first", 4: "second", 5: "kept"})
}

// Without the variables nothing of the kind is in the container's environment.
func TestNoListenFDs(t *testing.T) {
	x := New(t)
	for _, v := range x.Report().Env {
		if strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "NOTIFY_") || strings.HasPrefix(v, "BERTH_") ||
			strings.HasPrefix(v, "_") {
			x.Errorf("the environment has %s", v)
		}
	}
}

// notifySocket listens for datagrams of sd_notify.
type notifySocket struct {
	x    *Test
	path string
	conn *net.UnixConn
}

func newNotifySocket(x *Test) *notifySocket {
	x.Helper()
	path := filepath.Join(x.Dir, "notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	x.Must(err)
	x.Own(path)
	x.Cleanup(func() { _ = conn.Close() })
	return &notifySocket{x: x, path: path, conn: conn}
}

// messages reads datagrams until one holds the word.
func (s *notifySocket) until(word string) string {
	s.x.Helper()
	var all strings.Builder
	s.x.Must(s.conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
	buffer := make([]byte, 4096)
	for !strings.Contains(all.String(), word) {
		n, err := s.conn.Read(buffer)
		if err != nil {
			s.x.Fatalf("waited in vain for %s on the notify socket, which got %q", word, all.String())
		}
		all.Write(buffer[:n])
		all.WriteString("\n")
	}
	return all.String()
}

// A detached container's READY=1 reaches the caller's NOTIFY_SOCKET, through start.
func TestNotifySocket(t *testing.T) {
	x := New(t)
	socket := newNotifySocket(x)
	b := x.Bundle(Args("/bin/probe", "notify", "READY=1"))
	env := []string{"NOTIFY_SOCKET=" + socket.path}
	cmd := x.Cmd()
	cmd.Env = env
	c := x.CreateCmd(x.ID, b, cmd)
	start := x.Cmd("start", c.ID)
	start.Env = env
	p := start.Start()
	got := socket.until("READY=1")
	x.Code(p.Wait(), 0)
	if RuntimeName() != "crun" {
		if !strings.Contains(got, "MAINPID=") {
			got += socket.until("MAINPID=")
		}
		x.Contains("notification", got, fmt.Sprintf("MAINPID=%d", c.Pid))
	}
	Equal(x, "status", c.State().Status, "running")
}

// In the foreground, too.
func TestNotifySocketRun(t *testing.T) {
	x := New(t)
	socket := newNotifySocket(x)
	cmd := x.RunCmd(x.Bundle(Args("/bin/probe", "notify", "READY=1")))
	cmd.Env = []string{"NOTIFY_SOCKET=" + socket.path}
	p := cmd.Start()
	socket.until("READY=1")
	x.OK("kill", x.ID, "TERM")
	x.Code(p.Wait(), 0)
	x.NothingLeft()
}

// --pidfd-socket hands over a pidfd of the new process.
func TestPidfdSocket(t *testing.T) {
	x := New(t, Not("runc", "1.1.5 has no --pidfd-socket"), Not("crun", "1.8.1 has no --pidfd-socket"))
	pidOf := func(f *os.File) int {
		for line := range strings.Lines(x.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))) {
			var pid int
			if n, _ := fmt.Sscanf(line, "Pid: %d", &pid); n == 1 {
				return pid
			}
		}
		return 0
	}
	socket := x.NewFDSocket("pidfd.sock")
	done := make(chan Received, 1)
	go func() { done <- socket.Receive() }()
	c := x.CreateCmd(x.ID, x.Bundle(Args("/bin/probe", "pause")), x.Cmd(), "--pidfd-socket", socket.Path)
	got := <-done
	Equal(x, "pid behind the pidfd", pidOf(got.File), c.Pid)
	c.Start()

	socket = x.NewFDSocket("pidfd2.sock")
	go func() { done <- socket.Receive() }()
	pidFile := filepath.Join(x.Dir, "exec.pid")
	x.Code(c.ExecCmd([]string{"-d", "--pid-file", pidFile, "--pidfd-socket", socket.Path}, "/bin/sleep", "100").Run(), 0)
	got = <-done
	Equal(x, "pid behind the pidfd of exec", fmt.Sprint(pidOf(got.File)), x.ReadFile(pidFile))
	x.Must(unix.PidfdSendSignal(int(got.File.Fd()), unix.SIGKILL, nil, 0))
}

// Streams pass through as they are, of any kind.
func TestStdio(t *testing.T) {
	x := New(t)
	cmd := x.RunCmd(x.Bundle(Shell("cat; echo err >&2")))
	cmd.Stdin = pipeWith(x, "from stdin\n")
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "from stdin\n")
	Equal(x, "stderr", r.Stderr, "err\n")

	c := x.Up()
	cmd = c.ExecCmd(nil, "/bin/cat")
	cmd.Stdin = pipeWith(x, "into exec")
	Equal(x, "stdout of exec", cmd.Run().Stdout, "into exec")
}
