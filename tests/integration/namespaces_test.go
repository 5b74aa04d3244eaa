package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// nsFiles maps the kinds of the specification to names in /proc/PID/ns.
var nsFiles = map[specs.LinuxNamespaceType]string{
	specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.MountNamespace: "mnt", specs.IPCNamespace: "ipc",
	specs.UTSNamespace: "uts", specs.UserNamespace: "user", specs.CgroupNamespace: "cgroup", specs.TimeNamespace: "time",
}

// mapped gives the container a new user namespace with a range of host ids.
func mapped(s *specs.Spec) {
	With(specs.UserNamespace, "")(s)
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 65536}}
}

// chownRootfs gives a rootfs to the mapped root.
func chownRootfs(x *Test, b *Bundle) {
	x.Helper()
	for _, dir := range []string{"", "bin", "dev", "proc", "sys", "tmp", "etc", "root", "home", "var"} {
		x.Must(os.Chown(b.Path(dir), 100000, 200000))
	}
}

// Every kind that is listed is new, every other is the caller's.
func TestNewNamespaces(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) { With(specs.CgroupNamespace, "")(s) })
	for kind, file := range nsFiles {
		host := x.Namespace(os.Getpid(), file)
		isNew := r.Namespaces[file] != host
		want := kind != specs.TimeNamespace && (kind != specs.UserNamespace || x.Rootless)
		if isNew != want {
			x.Errorf("namespace %s: new is %v, want %v", kind, isNew, want)
		}
	}
	Equal(x, "pid", r.Pid, 1)
	Equal(x, "hostname", r.Hostname, "bt")
}

// A kind that is not listed is shared with the caller.
// TestLoopback: a new network namespace comes with its loopback device up, one that
// is joined is left as it is.
func TestLoopback(t *testing.T) {
	x := New(t)
	Equal(x, "flags of lo", x.Output(Shell("cat /sys/class/net/lo/flags")), "0x9\n")
}

func TestLoopbackJoined(t *testing.T) {
	x := New(t, Root, Program("nsenter"))
	first := x.Up()
	ns := fmt.Sprintf("/proc/%d/ns/net", first.Pid)
	down := x.Cmd("--net="+ns, Busybox(), "ip", "link", "set", "lo", "down")
	down.Path, down.NoRoot = "nsenter", true
	x.Code(down.Run(), 0)
	id := x.NewID()
	b := x.BundleFor(id, Shell("cat /sys/class/net/lo/flags"), With(specs.NetworkNamespace, ns))
	r := x.Do("run", "--bundle", b.Dir, id)
	x.Code(r, 0)
	Equal(x, "flags of lo", r.Stdout, "0x8\n")
}

func TestHostNamespaces(t *testing.T) {
	x := New(t, Root)
	for _, kind := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace,
	} {
		x.Sub(string(kind), func(y *Test) {
			r := y.Report(Without(kind), func(s *specs.Spec) {
				if kind == specs.UTSNamespace {
					s.Hostname = ""
				}
			})
			file := nsFiles[kind]
			Equal(y, file, r.Namespaces[file], y.Namespace(os.Getpid(), file))
		})
	}
}

// Without a pid namespace of its own, killing the container takes care of all of
// its processes, also those init leaves behind.
func TestHostPidNamespaceLeavesNothing(t *testing.T) {
	x := New(t, Root, Cgroup("freezer"))
	c := x.Up(Shell("sleep 1000 & sleep 1000 & echo ready; wait"), Without(specs.PIDNamespace))
	c.WaitOut("ready")
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}

func TestKillAll(t *testing.T) {
	x := New(t, Root, Cgroup("freezer"))
	c := x.Up(Shell("sleep 1000 & sleep 1000 & echo ready; wait"), Without(specs.PIDNamespace))
	c.WaitOut("ready")
	var pids []int
	x.Until("three processes", func() bool {
		x.JSON(x.OK("ps", "--format", "json", c.ID).Stdout, &pids)
		return len(pids) == 3
	})
	x.OK("kill", "--all", c.ID, "9")
	x.Until("the end of all", func() bool { return !slices.ContainsFunc(pids, Alive) })
	x.OK("delete", c.ID)
	x.NothingLeft()
}

// A pod: the second container joins pid, net, ipc and uts of the first by path.
func TestJoinByPath(t *testing.T) {
	x := New(t, Root)
	first := x.Up(With(specs.CgroupNamespace, ""))
	joined := []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace,
	}
	id := x.NewID()
	b := x.BundleFor(id, Args("/bin/probe", "report"), func(s *specs.Spec) {
		for _, kind := range joined {
			With(kind, fmt.Sprintf("/proc/%d/ns/%s", first.Pid, nsFiles[kind]))(s)
		}
		s.Hostname = ""
	})
	r := x.Do("run", "--bundle", b.Dir, id)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	for _, kind := range joined {
		Equal(x, string(kind), report.Namespaces[nsFiles[kind]], x.Namespace(first.Pid, nsFiles[kind]))
	}
	if report.Pid == 1 {
		x.Errorf("the joining process is pid 1")
	}
	// Deleting the second leaves the first alone.
	Equal(x, "status of the first", first.State().Status, "running")
}

// Each single kind can be joined, also the mount namespace with its root.
func TestJoinEach(t *testing.T) {
	x := New(t, Root)
	first := x.Up()
	for _, kind := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace,
	} {
		x.Sub(string(kind), func(y *Test) {
			path := fmt.Sprintf("/proc/%d/ns/%s", first.Pid, nsFiles[kind])
			r := y.Report(With(kind, path), func(s *specs.Spec) { s.Hostname = "" })
			for _, other := range []specs.LinuxNamespaceType{
				specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.MountNamespace,
			} {
				same := r.Namespaces[nsFiles[other]] == y.Namespace(first.Pid, nsFiles[other])
				if same != (other == kind) {
					y.Errorf("%s: joined is %v", other, same)
				}
			}
		})
	}
}

// The container that made a pid namespace ends: what joined it is gone as well, and
// a further join is refused with a useful sentence.
func TestJoinDeadPidNamespace(t *testing.T) {
	x := New(t, Root)
	first := x.Up()
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", first.Pid))
	x.Must(err)
	defer func() { _ = file.Close() }()
	x.OK("kill", first.ID, "KILL")
	first.WaitExit()
	id := x.NewID()
	b := x.BundleFor(id, With(specs.PIDNamespace, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())))
	r := x.Do("run", "--bundle", b.Dir, id)
	if IsBerth() {
		x.Refused(r, 1, "pid namespace")
	} else if r.Code == 0 {
		x.Errorf("%v: want an error", r)
	}
}

func TestUserNamespace(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(Args("/bin/probe", "report"), mapped)
	chownRootfs(x, b)
	r := x.Foreground(b)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	Equal(x, "uid", report.UID, 0)
	if report.Namespaces["user"] == x.Namespace(os.Getpid(), "user") {
		x.Errorf("no user namespace of its own")
	}
	for _, m := range []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"} {
		if _, ok := report.Mount(m); !ok {
			x.Errorf("no mount at %s", m)
		}
	}
}

func TestUserNamespaceIDs(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(Args("/bin/probe", "pause"), mapped)
	chownRootfs(x, b)
	c := x.Create(b)
	c.Start()
	var uid, gid int
	for line := range strings.Lines(x.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid))) {
		// A line of another kind leaves them as they are.
		_, _ = fmt.Sscanf(line, "Uid: %d", &uid)
		_, _ = fmt.Sscanf(line, "Gid: %d", &gid)
	}
	Equal(x, "uid on the host", uid, 100000)
	Equal(x, "gid on the host", gid, 200000)
	r := c.ExecCmd([]string{"--user", "1000:1001"}, "/bin/id", "-u").Run()
	Equal(x, "id -u", r.Stdout, "1000\n")
	Equal(x, "id -u", c.ExecOK("/bin/id", "-u"), "0\n")
	x.Contains("devices", c.ExecOK("/bin/sh", "-c", "echo x > /dev/null && head -c 4 /dev/zero | wc -c"), "4")
}

// The second container joins the user namespace of the first, with net, and gets
// the rest new: Kubernetes pods with user namespaces.
func TestJoinUserNamespace(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(Args("/bin/probe", "pause"), mapped)
	chownRootfs(x, b)
	first := x.Create(b)
	first.Start()
	id := x.NewID()
	second := x.BundleFor(id, Args("/bin/probe", "report"), mapped, func(s *specs.Spec) {
		for _, kind := range []specs.LinuxNamespaceType{specs.UserNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace} {
			With(kind, fmt.Sprintf("/proc/%d/ns/%s", first.Pid, nsFiles[kind]))(s)
		}
		s.Hostname = ""
		if RuntimeName() != "runc" {
			s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
		}
	})
	chownRootfs(x, second)
	r := x.Do("run", "--bundle", second.Dir, id)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	for _, file := range []string{"user", "net", "ipc", "uts"} {
		Equal(x, file, report.Namespaces[file], x.Namespace(first.Pid, file))
	}
	Equal(x, "uid", report.UID, 0)
	Equal(x, "pid", report.Pid, 1)
}

// A new user namespace with the host's network: a common set-up of engines.
func TestUserNamespaceWithHostNetwork(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(Args("/bin/probe", "report"), mapped, Without(specs.NetworkNamespace), func(s *specs.Spec) {
		for i := range s.Mounts {
			if s.Mounts[i].Destination == "/sys" {
				// sysfs belongs to the owner of the network namespace.
				s.Mounts[i] = specs.Mount{Destination: "/sys", Type: "none", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
			}
		}
	})
	chownRootfs(x, b)
	r := x.Foreground(b)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	Equal(x, "net", report.Namespaces["net"], x.Namespace(os.Getpid(), "net"))
}

// TestSysfsOfTheHost: with the host's network a user namespace can have no sysfs of its
// own, and a read-only one becomes the host's.
func TestSysfsOfTheHost(t *testing.T) {
	bundle := func(x *Test, edits ...Edit) *Bundle {
		noSys := func(s *specs.Spec) {
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return strings.HasPrefix(m.Destination, "/sys") })
		}
		b := x.Bundle(append([]Edit{Args("/bin/probe", "report"), mapped, Without(specs.NetworkNamespace), noSys}, edits...)...)
		chownRootfs(x, b)
		return b
	}
	sysfs := func(option string) Edit {
		return Mounted("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", option)
	}
	for _, cgroup := range []bool{false, true} {
		t.Run("cgroup mount "+strconv.FormatBool(cgroup), func(t *testing.T) {
			x := New(t, Root)
			x.PeerFails("runc", "1.1.5 mounts no sysfs there")
			x.PeerFails("crun", "1.8.1 leaves mounts below it writable")
			edits := []Edit{sysfs("ro")}
			if cgroup {
				edits = append(edits, With(specs.CgroupNamespace, ""),
					Mounted("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"))
			}
			b := bundle(x, edits...)
			r := x.Foreground(b)
			x.Code(r, 0)
			var report Report
			x.JSON(r.Stdout, &report)
			for _, m := range report.Mounts {
				if (m.Point == "/sys" || strings.HasPrefix(m.Point, "/sys/")) && !strings.HasPrefix(m.Options, "ro") {
					x.Errorf("writable: %+v", m)
				}
			}
			b.Save(Shell("ls /sys/class/net >/dev/null && ls /sys/fs/cgroup"))
			r = x.Foreground(b)
			x.Code(r, 0)
			Equal(x, "anything in /sys/fs/cgroup", r.Stdout != "", cgroup)
		})
	}
	t.Run("writable", func(t *testing.T) {
		x := New(t, Root)
		x.PeerFails("crun", "1.8.1 gives the host's, writable")
		r := x.Foreground(bundle(x, sysfs("rw")))
		x.Refused(r, 1, `error mounting "sysfs"`)
	})
}

func TestTimeNamespace(t *testing.T) {
	x := New(t, Namespace("time"), Not("runc", "1.1.5 knows no time namespaces"), Not("crun", "1.8.1 sets no offsets"))
	const ahead = 1_000_000
	edit := func(s *specs.Spec) {
		With(specs.TimeNamespace, "")(s)
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: ahead, Nanosecs: 500}, "monotonic": {Secs: 5000}}
	}
	r := x.Report(edit)
	if r.Namespaces["time"] == x.Namespace(os.Getpid(), "time") {
		x.Errorf("no time namespace of its own")
	}
	var uptime float64
	_, err := fmt.Sscan(r.Uptime, &uptime)
	x.Must(err)
	if uptime < ahead {
		x.Errorf("uptime inside is %v", uptime)
	}
	for _, want := range []string{"1000000", "5000"} {
		x.Contains("timens_offsets", r.Timens, want)
	}
	// exec enters it, too.
	c := x.UpAs(x.NewID(), edit)
	Equal(x, "time namespace of exec", c.Report().Namespaces["time"], x.Namespace(c.Pid, "time"))
}

// exec enters all namespaces of the container.
func TestExecNamespaces(t *testing.T) {
	x := New(t)
	c := x.Up(With(specs.CgroupNamespace, ""))
	r := c.Report()
	for _, file := range nsFiles {
		if r.Namespaces[file] != "" {
			Equal(x, file, r.Namespaces[file], x.Namespace(c.Pid, file))
		}
	}
	if r.Pid == 1 {
		x.Errorf("exec is pid 1")
	}
}

// Rootless: an ordinary user runs containers, without XDG_RUNTIME_DIR and with.
func TestRootless(t *testing.T) {
	x := New(t, AsUser, UserNS)
	r := x.Report()
	Equal(x, "uid", r.UID, 0)
	Equal(x, "pid", r.Pid, 1)
	c := x.UpAs(x.NewID())
	Equal(x, "owner's uid", hostUID(x, c.Pid), x.UID())
	Equal(x, "exec", c.ExecOK("/bin/echo", "hi"), "hi\n")
	x.Code(c.Exec("/bin/sh", "-c", "exit 5"), 5)
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}

func hostUID(x *Test, pid int) int {
	x.Helper()
	uid := -1
	for line := range strings.Lines(x.ReadFile(fmt.Sprintf("/proc/%d/status", pid))) {
		// A line of another kind leaves it as it is.
		_, _ = fmt.Sscanf(line, "Uid: %d", &uid)
	}
	return uid
}

func TestRootlessDefaultRoot(t *testing.T) {
	x := New(t, AsUser, UserNS)
	b := x.Bundle(Shell("echo rootless"))
	cmd := x.Cmd("run", "--bundle", b.Dir, x.ID)
	cmd.NoRoot = true
	cmd.Env = []string{"XDG_RUNTIME_DIR=" + x.Mkdir("run")}
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "rootless\n")
}

func TestRootlessTerminal(t *testing.T) {
	x := New(t, AsUser, UserNS)
	socket := x.NewFDSocket("console.sock")
	done := make(chan Received, 1)
	go func() { done <- socket.Receive() }()
	c := x.CreateCmd(x.ID, x.Bundle(Args("/bin/probe", "tty"), Terminal), x.Cmd(), "--console-socket", socket.Path)
	pty := x.WatchPty((<-done).File)
	x.OK("start", c.ID)
	checkTty(x, probeTty(x, pty))
}

// A rootless container cannot be given what its user has not: clear refusals.
func TestRootlessRefusals(t *testing.T) {
	x := New(t, AsUser, UserNS)
	for name, edit := range map[string]Edit{
		"without user namespace": Without(specs.UserNamespace),
		"foreign mapping": func(s *specs.Spec) {
			s.Linux.UIDMappings[0].HostID = 0
		},
	} {
		x.Sub(name, func(y *Test) {
			if name == "without user namespace" {
				y.PeerFails("crun", "1.8.1 makes one up")
			}
			r := y.Foreground(y.Bundle(edit))
			y.Refused(r, 1)
			y.NothingLeft()
		}, AsUser)
	}
}
