package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// State is the output of the verb state.
type State struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Annotations map[string]string `json:"annotations"`
	Owner       *string           `json:"owner"`
}

// Container is a created container.
type Container struct {
	x      *Test
	ID     string
	Bundle *Bundle
	Pid    int
	// Proc is the call of create: its streams are the container's.
	Proc *Proc
}

// Create creates a container of the bundle under the test's first id.
func (x *Test) Create(b *Bundle, flags ...string) *Container {
	x.Helper()
	return x.CreateAs(x.ID, b, flags...)
}

// CreateAs creates a container of the bundle under the given id.
func (x *Test) CreateAs(id string, b *Bundle, flags ...string) *Container {
	x.Helper()
	return x.CreateCmd(id, b, x.Cmd(), flags...)
}

// CreateCmd creates a container with a prepared call, whose Args it sets.
func (x *Test) CreateCmd(id string, b *Bundle, cmd *Cmd, flags ...string) *Container {
	x.Helper()
	pidFile := filepath.Join(x.Dir, "pid."+id)
	cmd.Args = append(append([]string{"create", "--bundle", b.Dir, "--pid-file", pidFile}, flags...), id)
	p := cmd.Start()
	if r := p.Wait(); r.Code != 0 {
		x.Fatalf("%v", r)
	}
	pid, err := strconv.Atoi(x.ReadFile(pidFile))
	x.Must(err)
	x.mutex.Lock()
	x.inits = append(x.inits, pid)
	x.mutex.Unlock()
	return &Container{x: x, ID: id, Bundle: b, Pid: pid, Proc: p}
}

// Up creates and starts a container.
func (x *Test) Up(edits ...Edit) *Container {
	x.Helper()
	return x.UpAs(x.ID, edits...)
}

// UpAs creates and starts a container under the given id. The default command
// sleeps until it gets SIGTERM.
func (x *Test) UpAs(id string, edits ...Edit) *Container {
	x.Helper()
	c := x.CreateAs(id, x.BundleFor(id, slices.Insert(edits, 0, Args("/bin/probe", "pause"))...))
	c.Start()
	return c
}

// Start starts the container; when it runs the probe's pause it waits until that is ready.
func (c *Container) Start() {
	c.x.Helper()
	c.x.OK("start", c.ID)
	args := c.Bundle.Spec.Process.Args
	if len(args) > 1 && args[0] == "/bin/probe" && args[1] == "pause" {
		c.WaitOut("ready")
	}
}

// WaitOut waits until the container has written text to stdout.
func (c *Container) WaitOut(text string) {
	c.x.Helper()
	c.x.Until(fmt.Sprintf("%q on stdout", text), func() bool { return strings.Contains(c.Proc.Out(), text) })
}

// State returns the container's state.
func (c *Container) State() State {
	c.x.Helper()
	return c.x.State(c.ID)
}

// State returns the state of the container with the given id.
func (x *Test) State(id string) State {
	x.Helper()
	var s State
	r := x.OK("state", id)
	x.JSON(r.Stdout, &s)
	return s
}

// WaitStatus waits until state shows the status.
func (c *Container) WaitStatus(status string) {
	c.x.Helper()
	c.x.Until("status "+status, func() bool { return c.State().Status == status })
}

// Exec runs a command in the container, in the foreground.
func (c *Container) Exec(args ...string) Result {
	c.x.Helper()
	return c.ExecCmd(nil, args...).Run()
}

// ExecOK runs a command in the container and fails unless it exits with 0.
func (c *Container) ExecOK(args ...string) string {
	c.x.Helper()
	r := c.Exec(args...)
	if r.Code != 0 {
		c.x.Fatalf("%v", r)
	}
	return r.Stdout
}

// ExecCmd prepares an exec with flags.
func (c *Container) ExecCmd(flags []string, args ...string) *Cmd {
	return c.x.Cmd(append(append(append([]string{"exec"}, flags...), c.ID), args...)...)
}

// Report runs the probe in the container by exec with the flags.
func (c *Container) Report(flags ...string) Report {
	c.x.Helper()
	return c.x.report(c.ExecCmd(flags, "/bin/probe", "report").Run())
}

// Report runs a container in the foreground whose process is the probe.
func (x *Test) Report(edits ...Edit) Report {
	x.Helper()
	b := x.BundleFor(x.ID, slices.Insert(edits, 0, Args("/bin/probe", "report"))...)
	return x.report(x.Foreground(b))
}

func (x *Test) report(r Result) Report {
	x.Helper()
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	var report Report
	x.JSON(r.Stdout, &report)
	return report
}

// Foreground runs a container of the bundle in the foreground.
func (x *Test) Foreground(b *Bundle, flags ...string) Result {
	x.Helper()
	return x.RunCmd(b, flags...).Run()
}

// RunCmd prepares a run of the bundle.
func (x *Test) RunCmd(b *Bundle, flags ...string) *Cmd {
	return x.Cmd(append(append([]string{"run", "--bundle", b.Dir}, flags...), x.ID)...)
}

// Output runs a container in the foreground, fails unless it exits with 0, and
// returns what it wrote to stdout.
func (x *Test) Output(edits ...Edit) string {
	x.Helper()
	r := x.Foreground(x.Bundle(edits...))
	if r.Code != 0 {
		x.Fatalf("%v", r)
	}
	return r.Stdout
}

// WaitExit waits for the container's init, which was reparented to the suite.
func (c *Container) WaitExit() syscall.WaitStatus {
	c.x.Helper()
	var status syscall.WaitStatus
	c.x.Until("the end of the container's init as a child of the suite", func() bool {
		pid, err := syscall.Wait4(c.Pid, &status, syscall.WNOHANG, nil)
		if err != nil && err != syscall.EINTR {
			c.x.Fatalf("wait for %d: %v", c.Pid, err)
		}
		return pid == c.Pid
	})
	return status
}

// JSON decodes text or fails.
func (x *Test) JSON(text string, into any) {
	x.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		x.Fatalf("not the JSON that was expected: %v: %q", err, text)
	}
}

// Namespace returns the inode of a namespace of a process, as "pid:[4026531836]".
func (x *Test) Namespace(pid int, kind string) string {
	x.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	x.Must(err)
	return link
}
