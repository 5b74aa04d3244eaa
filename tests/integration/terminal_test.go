package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Terminal asks for a terminal.
func Terminal(s *specs.Spec) { s.Process.Terminal = true }

func consoleSize(rows, cols uint) Edit {
	return func(s *specs.Spec) { s.Process.ConsoleSize = &specs.Box{Height: rows, Width: cols} }
}

// probeTty waits for the probe's report on a terminal.
func probeTty(x *Test, p *Pty) TtyReport {
	x.Helper()
	p.WaitFor("}")
	_, text, _ := strings.Cut(p.Text(), "{")
	var r TtyReport
	x.JSON("{"+strings.TrimSpace(text), &r)
	return r
}

func checkTty(x *Test, r TtyReport) {
	x.Helper()
	Equal(x, "terminals on 0, 1, 2", r.IsTerminal, [3]bool{true, true, true})
	Equal(x, "in the foreground", r.Foreground, true)
	if !strings.HasPrefix(r.Name, "/dev/pts/") && r.Name != "/dev/console" {
		x.Errorf("stdin is %s", r.Name)
	}
}

// create sends the master of the container's terminal to the console socket, with
// the path of the terminal as text.
func TestConsoleSocket(t *testing.T) {
	x := New(t)
	socket := x.NewFDSocket("console.sock")
	b := x.Bundle(Args("/bin/probe", "tty"), Terminal, consoleSize(33, 101))
	cmd := x.Cmd()
	done := make(chan Received, 1)
	go func() { done <- socket.Receive() }()
	c := x.CreateCmd(x.ID, b, cmd, "--console-socket", socket.Path)
	got := <-done
	if IsBerth() {
		// The name inside the container's devpts. (runc 1.1.5 sends /dev/ptmx.)
		x.Contains("text sent with the master", got.Text, "/dev/pts/")
	}
	pty := x.WatchPty(got.File)
	Equal(x, "status", c.State().Status, "created")
	x.OK("start", c.ID)
	r := probeTty(x, pty)
	checkTty(x, r)
	Equal(x, "size", fmt.Sprint(r.Rows, "x", r.Cols), "33x101")
	Equal(x, "session leader", r.Sid, 1)
	if r.Console == "" || strings.HasPrefix(r.Console, "5:") {
		x.Errorf("/dev/console is device %q, not the terminal", r.Console)
	}
}

func TestConsoleSocketExec(t *testing.T) {
	x := New(t)
	c := x.Up()
	socket := x.NewFDSocket("console.sock")
	done := make(chan Received, 1)
	go func() { done <- socket.Receive() }()
	pidFile := x.Dir + "/exec.pid"
	p := c.ExecCmd([]string{"--tty", "--detach", "--console-socket", socket.Path, "--pid-file", pidFile}, "/bin/probe", "tty").Start()
	x.Code(p.Wait(), 0)
	got := <-done
	pty := x.WatchPty(got.File)
	checkTty(x, probeTty(x, pty))
}

// The rules about terminals that cannot work, as engines know them.
func TestTerminalRules(t *testing.T) {
	x := New(t)
	b := x.Bundle(Terminal)
	plain := x.BundleFor(x.NewID(), Args("/bin/true"))
	const detach = "cannot allocate tty if runc will detach without setting console socket"
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, strings.ReplaceAll(detach, "runc", `\w+`))
	x.NothingLeft()
	x.Refused(x.Do("run", "--detach", "--bundle", b.Dir, x.ID), 1, strings.ReplaceAll(detach, "runc", `\w+`))
	x.NothingLeft()
	x.Sub("console socket without terminal", func(y *Test) {
		y.Refused(x.Do("create", "--bundle", plain.Dir, "--console-socket", "/no/such.sock", x.ID), 1, "console socket")
		x.NothingLeft()
	}, Serial)
	x.Sub("console socket in the foreground", func(y *Test) {
		y.Refused(x.Do("run", "--bundle", b.Dir, "--console-socket", "/no/such.sock", x.ID), 1, "console socket")
		x.NothingLeft()
	}, Serial)
	x.Refused(x.Do("create", "--bundle", b.Dir, "--console-socket", "/no/such.sock", x.ID), 1, `/no/such\.sock`, "no such file")
	x.NothingLeft()
}

// run -t in the foreground: the caller's terminal goes raw, follows the size, gets
// ^C inside, and is as before afterwards.
func TestRunTerminal(t *testing.T) {
	x := New(t)
	b := x.Bundle(Args("/bin/probe", "winch"), Terminal)
	pty := x.NewPty(24, 80)
	before, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	x.Must(err)
	cmd := x.RunCmd(b)
	onTerminal(cmd, pty)
	p := cmd.Start()
	pty.WaitFor("ready ")
	Equal(x, "terminal is raw", pty.Raw(), true)
	if IsBerth() || RuntimeName() == "runc" {
		// The size arrives with the first SIGWINCH or at the start.
		pty.Resize(40, 120)
		pty.WaitFor("40x120")
		pty.Resize(50, 140)
		pty.WaitFor("resized 50x140")
	}
	pty.Type("\x03")
	pty.WaitFor("got SIGINT")
	x.Code(p.Wait(), 0)
	after, err := unix.IoctlGetTermios(int(pty.Slave.Fd()), unix.TCGETS)
	x.Must(err)
	Same(x, "terminal settings after the run", after, before)
	x.NothingLeft()
}

func onTerminal(cmd *Cmd, pty *Pty) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Tty = pty.Slave, pty.Slave, pty.Slave, true
}

// The first size is there before the process looks.
func TestRunTerminalSize(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 sets the size later, at times too late")
	x.PeerFails("crun", "1.8.1 sets the size later, at times too late")
	pty := x.NewPty(31, 77)
	cmd := x.RunCmd(x.Bundle(Args("/bin/probe", "tty"), Terminal))
	onTerminal(cmd, pty)
	p := cmd.Start()
	x.Code(p.Wait(), 0)
	r := probeTty(x, pty)
	checkTty(x, r)
	Equal(x, "size", fmt.Sprint(r.Rows, "x", r.Cols), "31x77")
}

func TestExecTerminal(t *testing.T) {
	x := New(t)
	c := x.Up()
	pty := x.NewPty(24, 80)
	cmd := c.ExecCmd([]string{"-t"}, "/bin/probe", "winch")
	onTerminal(cmd, pty)
	p := cmd.Start()
	pty.WaitFor("ready ")
	Equal(x, "terminal is raw", pty.Raw(), true)
	pty.Resize(40, 120)
	if RuntimeName() != "crun" {
		pty.WaitFor("40x120")
	}
	pty.Type("\x03")
	pty.WaitFor("got SIGINT")
	x.Code(p.Wait(), 0)
}

// All of a long output arrives, also what is written just before the end.
func TestTerminalOutputIsComplete(t *testing.T) {
	x := New(t)
	b := x.Bundle(Shell("seq 1 20000; echo the-end"), Terminal)
	pty := x.NewPty(24, 80)
	cmd := x.RunCmd(b)
	onTerminal(cmd, pty)
	p := cmd.Start()
	x.Code(p.Wait(), 0)
	pty.WaitFor("the-end")
	x.Contains("output", pty.Text(), "\n19999\r")
}

// Exit statuses pass through a terminal as well.
func TestTerminalExitStatus(t *testing.T) {
	x := New(t)
	c := x.Up()
	for script, want := range map[string]int{"exit 3": 3, "kill -9 $$": 137} {
		pty := x.NewPty(24, 80)
		cmd := c.ExecCmd([]string{"-t"}, "/bin/sh", "-c", script)
		onTerminal(cmd, pty)
		x.Code(cmd.Start().Wait(), want)
	}
}

// A foreground run with a terminal whose caller has none: the runtime copies what
// the container writes to its own stdout, or refuses in one sentence.
func TestTerminalWithoutCallerTerminal(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 runs the process and then fails at times")
	r := x.Foreground(x.Bundle(Shell("test -t 0 && test -t 1 && echo inside"), Terminal))
	if r.Code != 0 {
		x.Refused(r, 1, "tty|terminal")
		x.NothingLeft()
		return
	}
	x.Contains("stdout", r.Stdout, "inside\r\n")
}

// With a user of its own the terminal belongs to that user.
func TestTerminalOwner(t *testing.T) {
	x := New(t, IDs)
	x.PeerFails("crun", "1.8.1 leaves it to root")
	c := x.Up()
	pty := x.NewPty(24, 80)
	cmd := c.ExecCmd([]string{"-t", "--user", "1000:1000"}, "/bin/sh", "-c", "stat -L -c '%u:%a' /proc/self/fd/0; echo x > /dev/tty && echo writable")
	onTerminal(cmd, pty)
	x.Code(cmd.Start().Wait(), 0)
	pty.WaitFor("1000:")
	pty.WaitFor("writable")
}

// A socket path longer than sockaddr_un holds works, too.
func TestConsoleSocketLongPath(t *testing.T) {
	x := New(t, Berth)
	dir := x.Mkdir(strings.Repeat("d", 60) + "/" + strings.Repeat("e", 60))
	short := x.NewFDSocket("s.sock")
	long := dir + "/console.sock"
	x.Must(os.Rename(short.Path, long))
	b := x.Bundle(Args("/bin/probe", "tty"), Terminal)
	done := make(chan Received, 1)
	go func() { done <- short.Receive() }()
	c := x.CreateCmd(x.ID, b, x.Cmd(), "--console-socket", long)
	pty := x.WatchPty((<-done).File)
	x.OK("start", c.ID)
	checkTty(x, probeTty(x, pty))
}
