package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// cgroupFS is the mount engines give every container.
func cgroupFS(options ...string) Edit {
	return Mounted("/sys/fs/cgroup", "cgroup", "cgroup", append([]string{"nosuid", "noexec", "nodev"}, options...)...)
}

// hierarchies are where the mount shows them inside: named as on the host on v1, one
// on v2.
func hierarchies() []string {
	if Cgroups().Unified() {
		return []string{"/sys/fs/cgroup"}
	}
	var dirs []string
	for _, point := range Cgroups().V1 {
		if dir := "/sys/fs/cgroup/" + filepath.Base(point); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// lookAround prints "cgroup PATH" for each hierarchy, then "DIR PID..." of the cgroups
// that the mount shows at DIR, tries to write there, and on v2 "/own PID..." of that
// which the mount shows at the container's path.
func lookAround() Edit {
	return Shell(`
		while IFS=: read id controllers path; do echo "cgroup $path"; own=$path; done </proc/self/cgroup
		for dir in ` + strings.Join(hierarchies(), " ") + `; do
			echo $dir $(cat $dir/cgroup.procs)
			mkdir $dir/sub 2>/dev/null && echo "wrote to $dir"
		done
		echo /own $(cat /sys/fs/cgroup$own/cgroup.procs 2>/dev/null)`)
}

// has1 says that among the lines is that of a directory with the process 1.
func has1(out, dir string) bool {
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == dir && slices.Contains(f[1:], "1") {
			return true
		}
	}
	return false
}

// The layouts engines make: where the cgroup is, times which cgroup namespace.
func TestPodLayouts(t *testing.T) {
	x := New(t, Root, Cgroup("memory"), Berth)
	if x.Systemd() {
		t.Skip("needs the cgroupfs driver: systemd has paths of its own")
	}
	infra := x.Up(With(specs.CgroupNamespace, ""))
	for _, path := range []string{"absolute", "relative", "absent"} {
		for _, ns := range []string{"new", "joined", "host"} {
			x.Sub(path+" path, "+ns+" namespace", func(y *Test) {
				b := y.Bundle(cgroupFS("ro"), lookAround(), func(s *specs.Spec) {
					s.Linux.CgroupsPath = map[string]string{"absolute": "/" + y.ID + "-pod/c", "relative": y.ID + "-rel"}[path]
					switch ns {
					case "new":
						With(specs.CgroupNamespace, "")(s)
					case "joined":
						With(specs.CgroupNamespace, fmt.Sprintf("/proc/%d/ns/cgroup", infra.Pid))(s)
					}
				})
				cmd := y.RunCmd(b)
				own := inOwnCgroups(y, cmd)
				r := cmd.Run()
				y.Code(r, 0)
				checkPod(y, r.Stdout, ns)
				for _, point := range Cgroups().Points() {
					_ = os.Remove(filepath.Join(point, own, y.ID+"-pod")) // made by the runtime, and nobody's now
					_ = os.Remove(filepath.Join(point, y.ID+"-pod"))
				}
			}, Cgroup("memory"))
		}
	}
}

// A container sees its own cgroup: as the root of a namespace of its own, and without
// one at its place. In the namespace of another it sees that one's.
func checkPod(x *Test, out, ns string) {
	x.Helper()
	mine := 0
	for line := range strings.Lines(out) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "cgroup ")
		if !ok {
			continue
		}
		switch {
		case ns == "new" && path != "/", ns == "joined" && path != "/" && !strings.HasPrefix(path, "/.."), ns == "host" && strings.HasPrefix(path, "/.."):
			x.Errorf("namespace %s: cgroup %s", ns, path)
		case strings.Contains(path, x.ID):
			mine++
		}
	}
	if ns != "new" && mine < len(hierarchies()) {
		x.Errorf("namespace %s: %d cgroups are the container's: %s", ns, mine, out)
	}
	dirs := hierarchies()
	if ns == "host" && Cgroups().Unified() {
		dirs = []string{"/own"}
	}
	for _, dir := range dirs {
		if got := has1(out, dir); got != (ns != "joined") {
			x.Errorf("namespace %s: init is in %s: %v: %s", ns, dir, got, out)
		}
	}
	x.ContainsNot("a mount that is read-only", out, "wrote to")
}

// On a hybrid host container and exec are in the v2 hierarchy, too, by which systemd
// tells whose a process is.
func TestHybridHost(t *testing.T) {
	x := New(t, Root, Cgroup("memory"), Berth)
	if !Cgroups().Hybrid() {
		t.Skip("needs a host with v1 hierarchies and cgroup2")
	}
	c := x.Up(Without(specs.CgroupNamespace))
	unified := func(text string) string {
		_, path, _ := strings.Cut("\n"+text, "\n0::")
		return strings.TrimSpace(path)
	}
	own := unified(x.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid)))
	Equal(x, "cgroup in the v2 hierarchy", filepath.Base(own), x.ID)
	exec := func() string {
		x.Helper()
		return unified(c.ExecOK("/bin/cat", "/proc/self/cgroup"))
	}
	Equal(x, "that of an exec", exec(), own)
	sub := filepath.Join(x.CgroupDir(c.Pid, "memory"), "sub")
	x.Must(os.Mkdir(sub, 0o755))
	r := c.ExecCmd([]string{"--cgroup", "memory:sub"}, "/bin/cat", "/proc/self/cgroup").Run()
	x.Code(r, 0)
	Equal(x, "that of an exec into a sub-cgroup of one controller", unified(r.Stdout), own)

	// The container may move its processes further down, and all goes on.
	leaf := filepath.Join(Cgroups().V2, own, "leaf")
	x.Must(os.Mkdir(leaf, 0o755))
	x.Must(os.WriteFile(filepath.Join(leaf, "cgroup.procs"), fmt.Append(nil, c.Pid), 0))
	x.OK("pause", c.ID)
	Equal(x, "status", c.State().Status, "paused")
	x.OK("resume", c.ID)
	Equal(x, "that of an exec when init is further below", exec(), own)
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// Controllers in one hierarchy are mounted once inside, with links for their names, as
// on hosts with cpu,cpuacct.
func TestCoMountedControllers(t *testing.T) {
	x := New(t, Root, Cgroup("memory"), V1, Serial, Berth)
	const both = "net_cls,net_prio"
	if Cgroups().Has("net_cls") || Cgroups().Has("net_prio") {
		t.Skip("needs net_cls and net_prio to be in no hierarchy")
	}
	defer giveBack(x, both)
	for _, ns := range []string{"new", "host"} {
		b := x.BundleFor(x.ID, cgroupFS("ro"), Shell(`
			cat /sys/fs/cgroup/net_cls/net_cls.classid /sys/fs/cgroup/net_prio/cgroup.procs
			readlink /sys/fs/cgroup/net_cls; readlink /sys/fs/cgroup/net_prio`), func(s *specs.Spec) {
			s.Linux.Resources.Network = &specs.LinuxNetwork{ClassID: Ptr(uint32(0x10001))}
			if ns == "new" {
				With(specs.CgroupNamespace, "")(s)
			}
		})
		cmd := x.RunCmd(b)
		cmd.Role = []string{"comount", x.Mkdir("comount"), both}
		r := cmd.Run()
		if strings.Contains(r.Stderr, "role comount: mount") {
			t.Skip("needs ", both, ": ", r.Stderr)
		}
		x.Code(r, 0)
		lines := strings.Fields(r.Stdout)
		if len(lines) < 4 || lines[0] != "65537" || !slices.Contains(lines, "1") || strings.Count(r.Stdout, both) != 2 {
			x.Errorf("namespace %s: %v", ns, r)
		}
	}
}

// giveBack ends a v1 hierarchy that lost its last mount while a removed cgroup was
// still being freed: it would stay without a mount, and containerd, which looks for
// the mount of every hierarchy, would find no metrics.
func giveBack(x *Test, controllers string) {
	dir := x.Mkdir("giveback")
	x.Must(unix.Mount("cgroup", dir, "cgroup", 0, controllers))
	first, _, _ := strings.Cut(controllers, ",")
	x.Until("the end of the cgroups of "+controllers, func() bool {
		for line := range strings.Lines(x.ReadFile("/proc/cgroups")) {
			if f := strings.Fields(line); len(f) == 4 && f[0] == first {
				return f[2] == "1"
			}
		}
		return true
	})
	x.Must(unix.Unmount(dir, 0))
}

// A container with a cgroup namespace of its own and a writable mount can make cgroups
// and give them controllers, also when its root is nobody on the host.
func TestDelegation(t *testing.T) {
	x := New(t, Cgroup("memory"), V2, Berth)
	script := Shell(`
		cd /sys/fs/cgroup && mkdir init && echo 1 >init/cgroup.procs && echo +memory >cgroup.subtree_control &&
		mkdir leaf && echo 64M >leaf/memory.max && echo delegated
		echo 1 >memory.max || echo kept
		echo 1 2>/dev/null >cgroup.max.depth || echo kept`)
	out := x.Output(cgroupFS("rw"), With(specs.CgroupNamespace, ""), mapped, script)
	x.Contains("output", out, "delegated")
	Equal(x, "limits of its own that it cannot change", strings.Count(out, "kept"), 2)
	for name, edits := range map[string][]Edit{
		"read-only mount":    {cgroupFS("ro"), With(specs.CgroupNamespace, ""), mapped, script},
		"no mount":           {With(specs.CgroupNamespace, ""), mapped, Shell("sleep 1000")},
		"a shared namespace": {cgroupFS("rw"), mapped, script},
	} {
		x.Sub(name, func(y *Test) {
			c := y.Create(y.Bundle(edits...))
			info, err := os.Stat(y.CgroupDir(c.Pid, "memory"))
			y.Must(err)
			Equal(y, "owner", info.Sys().(*syscall.Stat_t).Uid, 0)
		}, Cgroup("memory"))
	}
}

// What runs systemd or an engine inside makes its cgroup an inner node: exec goes
// where init is.
func TestExecIntoInnerNode(t *testing.T) {
	x := New(t, Cgroup("memory"), V2)
	c := x.Up(cgroupFS("rw"), With(specs.CgroupNamespace, ""), Shell(`
		cd /sys/fs/cgroup && mkdir -p a/init && echo 1 >a/init/cgroup.procs &&
		echo +memory >cgroup.subtree_control && echo +memory >a/cgroup.subtree_control && echo inner && exec sleep 1000`))
	c.WaitOut("inner")
	Equal(x, "cgroup of an exec", c.ExecOK("/bin/cat", "/proc/self/cgroup"), "0::/a/init\n")
	// A sub-cgroup that was named is taken, or nothing.
	r := c.ExecCmd([]string{"--cgroup", "a/init"}, "/bin/cat", "/proc/self/cgroup").Run()
	x.Code(r, 0)
	Equal(x, "the named cgroup", r.Stdout, "0::/a/init\n")
	x.Refused(c.ExecCmd([]string{"--cgroup", "a"}, "/bin/true").Run(), 255, "device or resource busy")
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// exec into a threaded cgroup: the container's is its root.
func TestExecIntoThreaded(t *testing.T) {
	x := New(t, Cgroup("memory"), V2)
	c := x.Up(cgroupFS("rw"), With(specs.CgroupNamespace, ""), Shell(`
		cd /sys/fs/cgroup && mkdir t && echo threaded >t/cgroup.type && echo 1 >t/cgroup.procs && echo threads && exec sleep 1000`))
	c.WaitOut("threads")
	Equal(x, "cgroup of an exec", c.ExecOK("/bin/cat", "/proc/self/cgroup"), "0::/\n")
	r := c.ExecCmd([]string{"--cgroup", "t"}, "/bin/cat", "/proc/self/cgroup").Run()
	x.Code(r, 0)
	Equal(x, "the threaded cgroup", r.Stdout, "0::/t\n")
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// Who is put into a container's cgroup from outside goes with it, too.
func TestDeleteWithStranger(t *testing.T) {
	x := New(t, Cgroup("memory"), Berth)
	c := x.Up()
	dir := x.CgroupDir(c.Pid, "memory")
	stranger := exec.Command(Busybox(), "sleep", "1000")
	x.Must(stranger.Start())
	x.Cleanup(func() { _ = stranger.Process.Kill() }) // in case it was not
	x.Must(os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(fmt.Sprint(stranger.Process.Pid)), 0))
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
	if err := stranger.Wait(); err == nil || err.Error() != "signal: killed" {
		x.Errorf("the stranger: %v", err)
	}
}
