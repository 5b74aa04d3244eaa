package manager

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/fs1"
	"berth/cgroups/fs2"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// helper names the role a re-executed test binary plays.
const helper = "BERTH_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helper) {
	case "":
		restore := keepSubtree()
		code := m.Run()
		restore()
		os.Exit(code)
	case "devices":
		probeDevices()
	case "eat":
		eatMemory()
	case "rootless":
		rootless()
	}
}

// keepSubtree remembers which controllers the unified hierarchy of a hybrid host
// gives to children: the driver turns on all there are, and those could no longer be
// mounted as v1.
func keepSubtree() func() {
	const file = cgfile.Root + "/unified/cgroup.subtree_control"
	before, err := os.ReadFile(file)
	if err != nil {
		return func() {}
	}
	return func() {
		after, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		for name := range strings.FieldsSeq(string(after)) {
			if !strings.Contains(string(before), name) {
				if err := os.WriteFile(file, []byte("-"+name), 0); err != nil {
					panic(err)
				}
			}
		}
	}
}

// driver makes managers of one kind.
type driver struct {
	name string
	make func(cgroups.Config) (cgroups.Manager, error)
	load func(cgroups.Record) cgroups.Manager
}

// drivers are those the host can show: on a hybrid host the v2 driver runs on the
// unified hierarchy, which has its core files but no controllers.
func drivers(t *testing.T) []driver {
	t.Helper()
	l := cgtest.Layout(t)
	var list []driver
	if len(l.Hierarchies) > 0 {
		list = append(list, driver{"v1",
			func(c cgroups.Config) (cgroups.Manager, error) { return orNil(fs1.New(c, l)) },
			func(r cgroups.Record) cgroups.Manager { return fs1.Load(r) }})
	}
	if l.Unified != "" || l.V2 {
		v2 := *l
		if !l.V2 {
			v2 = cgroups.Layout{V2: true, Root: l.Unified, Own: l.Own}
		}
		list = append(list, driver{"v2",
			func(c cgroups.Config) (cgroups.Manager, error) { return orNil(fs2.New(c, &v2)) },
			func(r cgroups.Record) cgroups.Manager { return fs2.Load(r) }})
	}
	return list
}

// each runs a test for every driver.
func each(t *testing.T, run func(*testing.T, driver)) {
	t.Helper()
	for _, d := range drivers(t) {
		t.Run(d.name, func(t *testing.T) { run(t, d) })
	}
}

func name() string { return cgtest.Name() }

// start makes a limited cgroup and removes it after the test.
func start(t *testing.T, d driver, cfg cgroups.Config) cgroups.Manager {
	t.Helper()
	if cfg.ID == "" {
		cfg.ID = name()
	}
	m, err := d.make(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cgtest.Start(t, m, cfg.Resources)
	return m
}

// shell starts a script that waits for a line on its stdin before it goes on.
func shell(t *testing.T, script string) (*exec.Cmd, func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read x; "+script)
	return cmd, cgtest.Hold(t, cmd)
}

// tree puts a process with two children and a grandchild into the cgroup.
func tree(t *testing.T, m cgroups.Manager) *exec.Cmd {
	t.Helper()
	cmd, run := shell(t, "sleep 1000 & (sleep 1000 & sleep 1000; true) & wait")
	if err := m.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	run()
	cgtest.Until(t, "five processes", func() bool {
		pids, err := m.Pids()
		return err == nil && len(pids) == 5
	})
	return cmd
}

// spawn starts the test binary in another role, with its first fds from 3 on, in
// the cgroup directory dir unless that is -1.
func spawn(t *testing.T, role string, dir int, files ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helper+"="+role)
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	if dir >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: dir}
	}
	return cmd
}

// joined starts a helper inside the cgroup: through the tasks files on v1, through
// CLONE_INTO_CGROUP on v2.
func joined(t *testing.T, m cgroups.Manager, role string) *exec.Cmd {
	t.Helper()
	j, err := m.OpenJoin(nil)
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, fd := range j.Tasks {
		files = append(files, os.NewFile(uintptr(fd), "tasks"))
	}
	cmd := spawn(t, role, j.Dir, files...)
	cmd.Env = append(cmd.Env, "TASKS="+strconv.Itoa(len(files)))
	t.Cleanup(func() {
		for _, f := range files {
			_ = f.Close()
		}
		if j.Dir >= 0 {
			_ = unix.Close(j.Dir)
		}
	})
	return cmd
}

// enter is the container side of joined.
func enter() {
	runtime.LockOSThread()
	n, err := strconv.Atoi(os.Getenv("TASKS"))
	if err != nil {
		panic(err)
	}
	for fd := 3; fd < 3+n; fd++ {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			panic(err)
		}
	}
}

// probeDevices reads lines "MODE c|b MAJOR MINOR", makes the node and opens it, and
// prints a line of its own for each: mknod and open errors.
func probeDevices() {
	enter()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var mode, kind, dir string
		var major, minor uint32
		if _, err := fmt.Sscan(in.Text(), &mode, &kind, &major, &minor, &dir); err != nil {
			panic(err)
		}
		node := dir + "/node"
		bits := uint32(unix.S_IFCHR)
		if kind == "b" {
			bits = unix.S_IFBLK
		}
		_ = unix.Unlink(node) // of the line before
		mkErr := unix.Mknod(node, bits|0o600, int(unix.Mkdev(major, minor)))
		if mkErr != nil {
			// The open has to be tried on the node of somebody who may make it.
			node = dir + "/prepared-" + kind + fmt.Sprintf("-%d-%d", major, minor)
		}
		flags := unix.O_RDONLY
		switch mode {
		case "w":
			flags = unix.O_WRONLY
		case "rw":
			flags = unix.O_RDWR
		}
		fd, openErr := unix.Open(node, flags|unix.O_NONBLOCK, 0)
		if openErr == nil {
			_ = unix.Close(fd)
		}
		fmt.Println(yes(mkErr), yes(openErr))
	}
}

func yes(err error) string {
	if err == unix.EPERM {
		return "denied"
	}
	return "allowed"
}

func eatMemory() {
	enter()
	cgtest.Eat(256 << 20)
	fmt.Println("still alive")
}

// ask sends one line to a device helper.
type asker struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Scanner
	dir string
}

func devicesIn(t *testing.T, m cgroups.Manager) *asker {
	t.Helper()
	cmd := joined(t, m, "devices")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // killed with the cgroup
	})
	return &asker{t, bufio.NewWriter(in), bufio.NewScanner(out), t.TempDir()}
}

// try returns what became of mknod and open.
func (a *asker) try(mode, kind string, major, minor uint32) (mknod, open string) {
	a.t.Helper()
	bits := uint32(unix.S_IFCHR)
	if kind == "b" {
		bits = unix.S_IFBLK
	}
	p := fmt.Sprintf("%s/prepared-%s-%d-%d", a.dir, kind, major, minor)
	if err := unix.Mknod(p, bits|0o600, int(unix.Mkdev(major, minor))); err != nil && err != unix.EEXIST {
		a.t.Skipf("mknod: %v", err)
	}
	fmt.Fprintln(a.in, mode, kind, major, minor, a.dir)
	if err := a.in.Flush(); err != nil {
		a.t.Fatal(err)
	}
	if !a.out.Scan() {
		a.t.Fatalf("the helper ended: %v", a.out.Err())
	}
	mknod, open, _ = strings.Cut(a.out.Text(), " ")
	return mknod, open
}

func ptr[T any](v T) *T { return cgtest.Ptr(v) }

func rule(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	r := specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Access: access}
	if major >= 0 {
		r.Major = &major
	}
	if minor >= 0 {
		r.Minor = &minor
	}
	return r
}

// rootless creates containers as a user who may not write to any cgroup.
func rootless() {
	try := func(c cgroups.Config) error {
		m, err := New(c)
		if err != nil {
			return err
		}
		if err := m.Create(); err != nil {
			return err
		}
		if err := m.Set(c.Resources); err != nil {
			return err
		}
		j, err := m.OpenJoin(nil)
		if err != nil {
			return err
		}
		again, err := Load(m.Record())
		if err != nil {
			return err
		}
		if _, err := again.Pids(); !errors.Is(err, cgroups.ErrNoCgroup) {
			return fmt.Errorf("pids: %w", err)
		}
		if len(j.Tasks) > 0 || j.Dir >= 0 {
			return fmt.Errorf("joins %+v", j)
		}
		return again.Destroy()
	}
	devices := []specs.LinuxDeviceCgroup{{Access: "rwm"}}
	memory := &specs.LinuxMemory{Limit: ptr(int64(1 << 20))}
	for _, c := range []cgroups.Config{
		{ID: "a", Rootless: true, Resources: &specs.LinuxResources{Devices: devices}},
		{ID: "b", Rootless: true, Resources: &specs.LinuxResources{Memory: memory}},
		{ID: "c", Resources: &specs.LinuxResources{}},
	} {
		c.ID = "berth-test-rootless-" + c.ID
		fmt.Println(try(c))
	}
}
