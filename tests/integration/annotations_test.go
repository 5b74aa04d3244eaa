package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func annotated(name, value string) Edit {
	return func(s *specs.Spec) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[name] = value
	}
}

// run.oci.hooks.stdout and stderr: what all kinds of hooks write is appended.
func TestAnnotationHookOutput(t *testing.T) {
	x := New(t, Not("runc", "it has no such annotation"))
	out, errs := filepath.Join(x.Dir, "hooks.out"), filepath.Join(x.Dir, "hooks.err")
	x.WriteFile(out, "before\n", 0o644)
	b := x.Bundle(annotated("run.oci.hooks.stdout", out), annotated("run.oci.hooks.stderr", errs), func(s *specs.Spec) {
		for _, kind := range hookKinds {
			addHook(s, kind, shellHook(kind, "echo out $KIND; echo err $KIND >&2"))
		}
	})
	c := x.Create(b)
	c.Start()
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	lines := func(file string) string {
		return strings.Join(strings.Split(strings.TrimSpace(x.ReadFile(file)), "\n"), ", ")
	}
	for _, kind := range hookKinds {
		x.Contains("stdout", lines(out), "out "+kind)
		x.Contains("stderr", lines(errs), "err "+kind)
	}
	if !strings.HasPrefix(x.ReadFile(out), "before\n") {
		x.Errorf("stdout was not appended to: %s", lines(out))
	}
	// The files are no part of the workload.
	r := x.Report(annotated("run.oci.hooks.stdout", out), func(s *specs.Spec) {
		addHook(s, "startContainer", shellHook("startContainer", "true"))
	})
	for fd, what := range r.FDs {
		if fd > 2 {
			x.Errorf("fd %d of the workload is %s", fd, what)
		}
	}
	if IsBerth() {
		b := x.Bundle(annotated("run.oci.hooks.stdout", "relative"))
		x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, `annotations\["run.oci.hooks.stdout"\]: "relative" is not absolute`)
	}
}

// run.oci.keep_original_groups: a process has the groups of the runtime's caller.
func TestAnnotationKeepGroups(t *testing.T) {
	x := New(t, Root, Berth, Serial)
	own, err := os.Getgroups()
	x.Must(err)
	x.Must(syscall.Setgroups([]int{0, 1234}))
	defer func() { x.Must(syscall.Setgroups(own)) }()
	for name, edit := range map[string]Edit{
		"plain":             func(*specs.Spec) {},
		"additional groups": func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{55} },
	} {
		has := func(r Report, gid int) bool { return slices.Contains(r.Groups, gid) }
		if r := x.Report(edit); has(r, 1234) {
			x.Errorf("%s: groups %v without the annotation", name, r.Groups)
		}
		id := x.NewID()
		c := x.UpAs(id, edit, annotated("run.oci.keep_original_groups", "1"))
		if r := c.Report(); !has(r, 1234) || has(r, 55) {
			x.Errorf("%s: groups %v of exec", name, r.Groups)
		}
		text := x.ReadFile("/proc/" + itoa(c.Pid) + "/status")
		x.Contains(name+": status of the first process", text, "1234")
	}
}

func itoa(n int) string {
	text, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	return string(text)
}

// run.oci.pidfd_receiver: a pidfd of the container's process goes to a socket.
func TestAnnotationPidfd(t *testing.T) {
	x := New(t, Berth)
	path := filepath.Join(x.Dir, "pidfd.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	x.Must(err)
	x.Own(path)
	defer func() { _ = l.Close() }()
	pids := make(chan string, 1)
	go func() {
		defer close(pids)
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		oob := make([]byte, 64)
		_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 64), oob)
		if err != nil {
			return
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil || len(messages) != 1 {
			return
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			return
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + itoa(fds[0]))
		if err == nil {
			pids <- string(info)
		}
	}()
	c := x.Create(x.Bundle(annotated("run.oci.pidfd_receiver", path)))
	x.Contains("fdinfo of the pidfd", <-pids, "Pid:\t"+itoa(c.Pid)+"\n")
}

// run.oci.seccomp_fail_unknown_syscall: names libseccomp does not know are an error.
func TestAnnotationUnknownSyscall(t *testing.T) {
	x := New(t, Not("runc", "it has no such annotation"))
	profile := func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls:      []specs.LinuxSyscall{{Names: []string{"frobnicate"}, Action: specs.ActErrno}},
		}
	}
	x.Code(x.Foreground(x.Bundle(profile)), 0)
	b := x.Bundle(profile, annotated("run.oci.seccomp_fail_unknown_syscall", "1"))
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, `linux.seccomp.syscalls\[0\].names: unknown to libseccomp .*: frobnicate`)
	x.NothingLeft()
}

// What berth does not know of crun's is named, and with --strict an error.
func TestAnnotationIgnored(t *testing.T) {
	x := New(t, Berth)
	b := x.Bundle(annotated("run.oci.handler", "krun"))
	x.Code(x.Foreground(b), 0)
	x.Refused(x.Foreground(b, "--strict"), 1, `annotations\["run.oci.handler"\]: ignored`)
	x.NothingLeft()
	b = x.Bundle(annotated("run.oci.mount_context_type", "nocontext"))
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, `"nocontext" is not one of context, fscontext, defcontext, rootcontext`)
}

// run.oci.delegate-cgroup: the container's processes are below its cgroup, which has
// the limits and is the root of its cgroup namespace, and may manage what is there.
func TestAnnotationDelegateCgroup(t *testing.T) {
	x := New(t, Cgroup("memory"), V2)
	c := x.Up(cgroupFS("rw"), With(specs.CgroupNamespace, ""), annotated("run.oci.delegate-cgroup", "/payload/init"),
		limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(256 << 20))}}))
	dir := x.CgroupDir(c.Pid, "")
	own, ok := strings.CutSuffix(dir, "/payload/init")
	if !ok || !strings.Contains(filepath.Base(own), x.ID) {
		x.Fatalf("init is in %s", dir)
	}
	Equal(x, "limit of the container's cgroup", strings.TrimSpace(x.ReadFile(own+"/memory.max")), fmt.Sprint(256<<20))
	Equal(x, "limit of the delegated one", strings.TrimSpace(x.ReadFile(dir+"/memory.max")), "max")
	Equal(x, "as init sees it", c.ExecOK("/bin/cat", "/proc/1/cgroup"), "0::/payload/init\n")
	Equal(x, "an exec", c.ExecOK("/bin/cat", "/proc/self/cgroup"), "0::/payload/init\n")
	c.ExecOK("/bin/sh", "-c", "mkdir /sys/fs/cgroup/payload/other && echo 64M >/sys/fs/cgroup/payload/other/memory.max && echo 1 >/sys/fs/cgroup/payload/other/cgroup.procs")
	x.OK("pause", c.ID)
	Equal(x, "status", c.State().Status, "paused")
	x.OK("resume", c.ID)
	x.OK("update", "--memory", fmt.Sprint(128<<20), c.ID)
	Equal(x, "limit after an update", strings.TrimSpace(x.ReadFile(own+"/memory.max")), fmt.Sprint(128<<20))
	Equal(x, "an exec after init has moved", c.ExecOK("/bin/cat", "/proc/self/cgroup"), "0::/payload/other\n")
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// A place outside the container's cgroup is refused, and on v1 there is none.
func TestAnnotationCgroupRefused(t *testing.T) {
	x := New(t, Berth)
	for _, name := range []string{"run.oci.delegate-cgroup", "run.oci.systemd.subgroup"} {
		for _, value := range []string{"..", "/../x", "a/../../b"} {
			x.Refused(x.Foreground(x.Bundle(annotated(name, value))), 1, name+`.*leaves its parent`)
		}
		if !Cgroups().Unified() {
			x.Refused(x.Foreground(x.Bundle(annotated(name, "a")), "--strict"), 1, name+`.*ignored, it means something on cgroup v2 alone`)
		}
	}
	x.NothingLeft()
}

// features lists every annotation that changes what the runtime does.
func TestAnnotationFeatures(t *testing.T) {
	x := New(t, Berth)
	var f struct {
		PotentiallyUnsafeConfigAnnotations []string
	}
	x.JSON(x.OK("features").Stdout, &f)
	for _, name := range []string{
		"run.oci.hooks.stdout", "run.oci.hooks.stderr", "run.oci.keep_original_groups", "run.oci.mount_context_type",
		"run.oci.pidfd_receiver", "run.oci.seccomp_fail_unknown_syscall", "org.systemd.property.", "io.berth.landlock",
		"run.oci.delegate-cgroup", "run.oci.systemd.subgroup",
	} {
		if !slices.Contains(f.PotentiallyUnsafeConfigAnnotations, name) {
			x.Errorf("%s is missing in %q", name, f.PotentiallyUnsafeConfigAnnotations)
		}
	}
}
