package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Cmd is one call of the runtime, to be adjusted before Run or Start.
type Cmd struct {
	x *Test
	// Args are the verb and what follows; Globals stand before, --root first.
	Args, Globals []string
	// Env is added to the runtime's environment, Dir its working directory.
	Env []string
	Dir string
	// Stdin is /dev/null unless set; Stdout and Stderr are files read by Result.
	Stdin, Stdout, Stderr *os.File
	// ExtraFiles become descriptors 3 and up.
	ExtraFiles []*os.File
	// Tty makes Stdin the controlling terminal of a new session.
	Tty bool
	// Role runs the call through an outside role of this binary, see roles.go.
	Role []string
	// Path is the program; empty: the runtime.
	Path string
	// NoRoot leaves --root away.
	NoRoot bool
}

// Result is how a call of the runtime ended.
type Result struct {
	Args []string
	// Code is the exit status, 128+N when signal N killed the runtime itself.
	Code           int
	Stdout, Stderr string
}

// String shows the whole result for a message.
func (r Result) String() string {
	return fmt.Sprintf("%s: status %d, stdout %q, stderr %q",
		strings.Join(r.Args, " "), r.Code, r.Stdout, r.Stderr)
}

// Proc is a started call of the runtime, or of another program.
type Proc struct {
	x        *Test
	cmd      *exec.Cmd
	args     []string
	out, err string // paths
	done     chan struct{}
}

// Cmd prepares a call of the runtime.
func (x *Test) Cmd(args ...string) *Cmd { return &Cmd{x: x, Args: args} }

// Do calls the runtime and waits for it.
func (x *Test) Do(args ...string) Result {
	x.Helper()
	return x.Cmd(args...).Run()
}

// OK calls the runtime and fails the test unless the exit status is 0.
func (x *Test) OK(args ...string) Result {
	x.Helper()
	r := x.Do(args...)
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	return r
}

// Run starts the call and waits for its end.
func (c *Cmd) Run() Result {
	c.x.Helper()
	return c.Start().Wait()
}

// Start starts the call.
func (c *Cmd) Start() *Proc {
	x := c.x
	x.Helper()
	path := c.Path
	args := c.Args
	if path == "" {
		path = runtimePath
		globals := c.Globals
		if !c.NoRoot {
			globals = append(append([]string{"--root", x.Root}, x.managerFlag()...), globals...)
		}
		args = append(slices.Clip(globals), args...)
	}
	var env []string
	if len(c.Role) > 0 {
		args = append(append(slices.Clip(c.Role[1:]), "--", path), args...)
		path = "/proc/self/exe"
		env = append(env, roleEnv+"="+c.Role[0])
	}
	p := &Proc{x: x, args: append([]string{filepath.Base(runtimePath)}, args...), done: make(chan struct{})}
	cmd := exec.Command(path, args...)
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = x.Dir
	}
	env = append(env, "PATH="+os.Getenv("PATH"), "BERTH_TEST_ID="+x.ID)
	cmd.Env = append(append(env, x.Env...), c.Env...)
	x.mutex.Lock()
	n := len(x.procs)
	x.procs = append(x.procs, p)
	x.mutex.Unlock()
	cmd.Stdin = nil
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	p.out, p.err = filepath.Join(x.Dir, fmt.Sprintf("out.%d", n)), filepath.Join(x.Dir, fmt.Sprintf("err.%d", n))
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	if c.Stdout == nil {
		f := x.output(p.out)
		defer closeFile(f)
		cmd.Stdout = f
	}
	if c.Stderr == nil {
		f := x.output(p.err)
		defer closeFile(f)
		cmd.Stderr = f
	}
	cmd.ExtraFiles = c.ExtraFiles
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: c.Tty, Setctty: c.Tty}
	if x.Rootless && os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: User, Gid: User}
	}
	p.cmd = cmd
	if err := cmd.Start(); err != nil {
		close(p.done)
		x.Fatalf("start %s: %v", path, err)
	}
	go func() {
		// The exit status is read from ProcessState.
		_ = cmd.Wait()
		close(p.done)
	}()
	return p
}

// output makes a file for a stream: owned by root and open, so that the runtime
// can write to it as any user.
func (x *Test) output(path string) *os.File {
	x.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	x.Must(err)
	x.Own(path)
	return f
}

func closeFile(f *os.File) {
	// Nothing was written through this handle.
	_ = f.Close()
}

// Pid returns the process id of the started program.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal to the started program, if it has not ended.
func (p *Proc) Signal(s syscall.Signal) {
	p.x.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.x.Fatalf("%v", err)
	}
}

// Out returns what was written to stdout so far, by the runtime and the container.
func (p *Proc) Out() string { return readOutput(p.out) }

// Err returns what was written to stderr so far.
func (p *Proc) Err() string { return readOutput(p.err) }

func readOutput(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// Running says that the program has not ended.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait waits for the end, for at most a minute.
func (p *Proc) Wait() Result {
	p.x.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Duration(slowness()) * time.Minute):
		p.stop()
		p.x.Fatalf("%s hangs: stdout %q, stderr %q", strings.Join(p.args, " "), p.Out(), p.Err())
	}
	return p.result()
}

func (p *Proc) result() Result {
	r := Result{Args: p.args, Stdout: p.Out(), Stderr: p.Err(), Code: -1}
	if state := p.cmd.ProcessState; state != nil {
		status, ok := state.Sys().(syscall.WaitStatus)
		switch {
		case ok && status.Signaled():
			r.Code = 128 + int(status.Signal())
		default:
			r.Code = state.ExitCode()
		}
	}
	return r
}

// stop kills the program if it still runs.
func (p *Proc) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	if p.Running() {
		// It may end by itself at this moment.
		_ = p.cmd.Process.Kill()
	}
	<-p.done
}

// forget deletes a container whatever its state.
func (x *Test) forget(id string) {
	cmd := exec.Command(runtimePath, "--root", x.Root, "delete", "--force", id)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, x.Env...)
	cmd.Dir = base
	if x.Rootless && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: User, Gid: User}}
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "does not exist") {
		x.Logf("delete --force %s: %v: %s", id, err, out)
	}
}
