package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// limited sets resources beside the device rules.
func limited(r specs.LinuxResources) Edit {
	return func(s *specs.Spec) {
		r.Devices = s.Linux.Resources.Devices
		s.Linux.Resources = &r
	}
}

func TestMemoryLimit(t *testing.T) {
	x := New(t, Cgroup("memory"))
	c := x.Up(limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20)), Reservation: Ptr(int64(32 << 20))}}))
	Equal(x, "limit", x.CgroupFile(c.Pid, "memory", "memory.limit_in_bytes", "memory.max"), fmt.Sprint(64<<20))
	Equal(x, "reservation", x.CgroupFile(c.Pid, "memory", "memory.soft_limit_in_bytes", "memory.low"), fmt.Sprint(32<<20))
	// What goes over it is killed; the init lives on.
	x.Code(c.Exec("/bin/probe", "grow", "16"), 0)
	x.Code(c.Exec("/bin/probe", "grow", "200"), 137)
	Equal(x, "status", c.State().Status, "running")
}

// The init itself dies of the limit with 137.
func TestMemoryLimitKillsInit(t *testing.T) {
	x := New(t, Cgroup("memory"))
	r := x.Foreground(x.Bundle(Args("/bin/probe", "grow", "200"), limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20))}})))
	x.Code(r, 137)
	x.NothingLeft()
}

// Swap is limited together with memory on v1.
func TestSwapLimit(t *testing.T) {
	x := New(t, Cgroup("memory"), V1, Kernel("swap accounting", func() bool {
		_, err := os.Stat(filepath.Join(Cgroups().V1["memory"], "memory.memsw.limit_in_bytes"))
		return err == nil
	}))
	c := x.Up(limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20)), Swap: Ptr(int64(96 << 20)), Swappiness: Ptr(uint64(7))}}))
	Equal(x, "memory and swap", x.CgroupFile(c.Pid, "memory", "memory.memsw.limit_in_bytes", ""), fmt.Sprint(96<<20))
	Equal(x, "swappiness", x.CgroupFile(c.Pid, "memory", "memory.swappiness", ""), "7")
}

// 1 MiB is enough to start a static program on v1: what the runtime itself needs
// in the cgroup is far below.
func TestTinyMemory(t *testing.T) {
	x := New(t, Cgroup("memory"), V1)
	x.PeerFails("runc", "1.1.5 needs above 2 MiB for its own init")
	for range 3 {
		r := x.Foreground(x.Bundle(limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(1 << 20))}})))
		x.Code(r, 0)
		Equal(x, "stderr", r.Stderr, "")
	}
	// The sum: at most 512 KiB of the limit for the init stage.
	c := x.Create(x.BundleFor(x.ID, limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(1 << 20))}})))
	most, err := strconv.Atoi(x.CgroupFile(c.Pid, "memory", "memory.max_usage_in_bytes", ""))
	x.Must(err)
	x.Logf("the init stage used %d KiB", most>>10)
	if IsBerth() && most > 512<<10 {
		x.Errorf("the init stage used %d bytes of the limit", most)
	}
}

func TestPidsLimit(t *testing.T) {
	x := New(t, Cgroup("pids"))
	c := x.Up(limited(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: Ptr(int64(25))}}))
	Equal(x, "limit", x.CgroupFile(c.Pid, "pids", "pids.max", "pids.max"), "25")
	out := c.ExecOK("/bin/probe", "forks", "40")
	n, errno, _ := strings.Cut(strings.TrimSpace(out), " ")
	count, err := strconv.Atoi(n)
	x.Must(err)
	if errno != "EAGAIN" || count >= 25 {
		x.Errorf("forks: %s", out)
	}
}

// A limit of one is enough for a process that starts no thread.
func TestPidsLimitOfOne(t *testing.T) {
	x := New(t, Cgroup("pids"))
	for limit := range int64(2) { // of none is as good: the first process is in already
		x.Code(x.Foreground(x.Bundle(limited(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}))), 0)
	}
}

// An exec takes one of the places that the pids limit leaves, however many threads the
// runtime starts on the way: also the last one, and also where the container's
// processes may look into others, so that the exec is in its cgroups before they see it.
func TestExecAtPidsLimit(t *testing.T) {
	x := New(t, Cgroup("pids"))
	for _, capability := range []string{"CAP_KILL", "CAP_SYS_PTRACE"} {
		x.Sub(capability, func(y *Test) {
			y.PeerFails("runc", "1.1.5 needs some places")
			const limit = 4
			// No Go program, which would want threads itself.
			c := y.Up(Shell("echo ready; exec sleep 10000"), limited(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: Ptr(int64(limit))}}), func(s *specs.Spec) {
				caps := s.Process.Capabilities
				caps.Bounding = append(slices.Clip(caps.Bounding), capability)
			})
			for n := 1; n < limit; n++ {
				y.Code(c.ExecCmd([]string{"--detach"}, "/bin/sleep", "10000").Run(), 0)
				Equal(y, "processes", y.CgroupFile(c.Pid, "pids", "pids.current", "pids.current"), fmt.Sprint(n+1))
				if n < limit-1 {
					Equal(y, "output", c.ExecOK("/bin/echo", "here"), "here\n")
				}
			}
			Equal(y, "limit", y.CgroupFile(c.Pid, "pids", "pids.max", "pids.max"), fmt.Sprint(limit))
		}, Cgroup("pids"))
	}
}

func TestPidsUnlimited(t *testing.T) {
	x := New(t, Cgroup("pids"))
	x.PeerFails("crun", "1.8.1 writes -1")
	c := x.Up(limited(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: Ptr(int64(-1))}}))
	Equal(x, "limit", x.CgroupFile(c.Pid, "pids", "pids.max", "pids.max"), "max")
}

func TestCPULimits(t *testing.T) {
	x := New(t, Cgroup("cpu"))
	c := x.Up(limited(specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: Ptr(uint64(512)), Quota: Ptr(int64(10000)), Period: Ptr(uint64(100000))}}))
	if Cgroups().Unified() {
		Equal(x, "quota", x.CgroupFile(c.Pid, "cpu", "", "cpu.max"), "10000 100000")
	} else {
		Equal(x, "shares", x.CgroupFile(c.Pid, "cpu", "cpu.shares", ""), "512")
		Equal(x, "quota", x.CgroupFile(c.Pid, "cpu", "cpu.cfs_quota_us", ""), "10000")
		Equal(x, "period", x.CgroupFile(c.Pid, "cpu", "cpu.cfs_period_us", ""), "100000")
	}
	// A busy loop gets throttled.
	busy := c.ExecCmd(nil, "/bin/sh", "-c", "while :; do :; done").Start()
	x.Until("throttling", func() bool {
		for line := range strings.Lines(x.CgroupFile(c.Pid, "cpu", "cpu.stat", "cpu.stat")) {
			var n int
			if got, _ := fmt.Sscanf(line, "nr_throttled %d", &n); got == 1 && n > 0 {
				return true
			}
		}
		return false
	})
	Equal(x, "busy loop runs", busy.Running(), true)
}

func TestCpuset(t *testing.T) {
	x := New(t, Cgroup("cpuset"))
	r := x.Report(limited(specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0", Mems: "0"}}))
	Equal(x, "cpus", r.Status["Cpus_allowed_list"], "0")
	Equal(x, "mems", r.Status["Mems_allowed_list"], "0")
}

// Devices: what is not allowed cannot be opened, whatever nodes there are.
func TestDeviceRules(t *testing.T) {
	x := New(t, Root, Cgroup())
	// No driver has this number: allowed is ENXIO, denied EPERM.
	nodes := func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{
			{Path: "/dev/other", Type: "c", Major: 240, Minor: 7, FileMode: Ptr(os.FileMode(0o666))},
		}
	}
	attempts := []string{"open:/dev/other", "write:/dev/other", "open:/dev/null", "openrw:/dev/zero", "open:/dev/tty", "mknod:/dev/sda:b:8:0", "mknod:/dev/mem:c:1:1", "openrw:/dev/ptmx"}
	tried := try(x, nodes, attempts...)
	Same(x, "denied by default", tried, Tried{
		"open:/dev/other": "EPERM", "write:/dev/other": "EPERM", "open:/dev/null": "ok", "openrw:/dev/zero": "ok",
		// No controlling terminal, but allowed to ask.
		"open:/dev/tty": "ENXIO", "mknod:/dev/sda:b:8:0": "ok", "mknod:/dev/mem:c:1:1": "ok", "openrw:/dev/ptmx": "ok",
	})
	tried = try(x, func(s *specs.Spec) {
		nodes(s)
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices,
			specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: Ptr(int64(240)), Minor: Ptr(int64(7)), Access: "r"})
	}, attempts...)
	Equal(x, "reading allowed", tried["open:/dev/other"], "ENXIO")
	Equal(x, "writing not allowed", tried["write:/dev/other"], "EPERM")
	x.PeerFails("crun", "1.8.1 takes no rules for no restriction")
	// Without any rule everything is denied as well (GHSA-g54h: a list is no deny-list).
	tried = try(x, func(s *specs.Spec) { nodes(s); s.Linux.Resources = nil }, attempts...)
	Equal(x, "no resources at all", tried["open:/dev/other"], "EPERM")
	// All devices, as privileged containers ask for.
	tried = try(x, func(s *specs.Spec) {
		nodes(s)
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}, attempts...)
	Equal(x, "all allowed", tried["write:/dev/other"], "ENXIO")
	// All but one: rules apply in the order of the config.
	tried = try(x, func(s *specs.Spec) {
		nodes(s)
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{
			{Allow: true, Access: "rwm"},
			{Allow: false, Type: "c", Major: Ptr(int64(240)), Minor: Ptr(int64(7)), Access: "w"},
		}
	}, attempts...)
	Equal(x, "a single denial: read", tried["open:/dev/other"], "ENXIO")
	Equal(x, "a single denial: write", tried["write:/dev/other"], "EPERM")
}

func TestBlkio(t *testing.T) {
	x := New(t, Cgroup("blkio"), V1, Kernel("blkio.throttle files and a block device", func() bool {
		_, err := os.Stat(filepath.Join(Cgroups().V1["blkio"], "blkio.throttle.read_bps_device"))
		major, _ := rootDevice()
		return err == nil && major != 0
	}))
	major, minor := rootDevice()
	rate := func(n uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: n}
		d.Major, d.Minor = int64(major), int64(minor)
		return []specs.LinuxThrottleDevice{d}
	}
	c := x.Up(limited(specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: rate(1 << 20), ThrottleWriteBpsDevice: rate(2 << 20),
		ThrottleReadIOPSDevice: rate(300), ThrottleWriteIOPSDevice: rate(400),
	}}))
	for file, want := range map[string]int{
		"read_bps_device": 1 << 20, "write_bps_device": 2 << 20, "read_iops_device": 300, "write_iops_device": 400,
	} {
		Equal(x, file, x.CgroupFile(c.Pid, "blkio", "blkio.throttle."+file, ""), fmt.Sprintf("%d:%d %d", major, minor, want))
	}
}

// rootDevice is the disk the suite's own program lies on.
func rootDevice() (major, minor uint32) {
	var st unix.Stat_t
	if unix.Stat("/usr", &st) != nil {
		return 0, 0
	}
	return unix.Major(st.Dev), unix.Minor(st.Dev)
}

// What does not fit into memory goes to swap, as far as the container may use that.
func TestSwap(t *testing.T) {
	file := os.Getenv("BERTH_TEST_SWAP")
	x := New(t, Root, V2, Cgroup("memory"), Serial, Kernel("a swap area for tests (BERTH_TEST_SWAP)", func() bool { return file != "" }))
	name, err := unix.BytePtrFromString(file)
	x.Must(err)
	swap := func(call uintptr) error {
		_, _, errno := unix.Syscall(call, uintptr(unsafe.Pointer(name)), 0, 0)
		if errno != 0 {
			return fmt.Errorf("swap area %s: %w", file, errno)
		}
		return nil
	}
	x.Must(swap(unix.SYS_SWAPON))
	x.Cleanup(func() { x.Must(swap(unix.SYS_SWAPOFF)) })
	const mega = 1 << 20
	fill := Shell("dd if=/dev/zero of=/big/file bs=1M count=48 2>/dev/null && echo full && sleep 10000")
	memory := func(swap int64) Edit {
		return limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(32 * mega)), Swap: Ptr(swap)}})
	}
	c := x.Create(x.Bundle(memory(96*mega), fill, Mounted("/big", "tmpfs", "tmpfs")))
	Equal(x, "swap limit", x.CgroupFile(c.Pid, "memory", "", "memory.swap.max"), fmt.Sprint(64*mega))
	c.Start()
	x.Until("16 MiB in the swap area", func() bool {
		n, err := strconv.Atoi(x.CgroupFile(c.Pid, "memory", "", "memory.swap.current"))
		return err == nil && n >= 16*mega
	})
	x.OK("delete", "--force", c.ID)
	x.Code(x.Foreground(x.Bundle(memory(32*mega), fill, Mounted("/big", "tmpfs", "tmpfs"))), 137)
}

func TestHugepages(t *testing.T) {
	x := New(t, Cgroup("hugetlb"))
	limit := limited(specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}})
	c := x.Up(limit)
	Equal(x, "limit", x.CgroupFile(c.Pid, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"), fmt.Sprint(4<<20))

	free, err := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
	if n, e := strconv.Atoi(strings.TrimSpace(string(free))); err != nil || e != nil || n < 4 {
		x.Logf("whether the limit holds is not tested: the host has %d free huge pages, want 4 or more", n)
		return
	}
	x.OK("delete", "--force", c.ID)
	// The limit is that of pages in use: there are more, and the container gets no third.
	out := x.Output(limit, Mounted("/huge", "hugetlbfs", "hugetlbfs", "pagesize=2M"),
		Shell("busybox fallocate -l 4194304 /huge/two && echo two; busybox fallocate -l 2097152 /huge/third 2>/dev/null || echo no third"))
	Equal(x, "pages", out, "two\nno third\n")
}

// cgroupsPath: absolute from the hierarchy's root, relative from somewhere of the
// runtime's choice, absent: by the id.
func TestCgroupsPath(t *testing.T) {
	x := New(t, Root, Cgroup("memory"))
	for name, path := range map[string]string{
		"absolute": "/" + x.ID + "-abs", "nested": "/" + x.ID + "-nest/a/b", "relative": x.ID + "-rel/c", "absent": "",
	} {
		x.Sub(name, func(y *Test) {
			// The suite may itself be in a cgroup that is not its own to make others below.
			cmd := y.Cmd()
			own := inOwnCgroups(y, cmd)
			full := strings.ReplaceAll(path, x.ID, y.ID)
			c := y.CreateCmd(y.ID, y.Bundle(func(s *specs.Spec) { s.Linux.CgroupsPath = full }, Args("/bin/probe", "pause")), cmd)
			c.Start()
			dir := y.CgroupDir(c.Pid, "memory")
			want := full
			if path == "" {
				want = y.ID
			}
			if !strings.HasSuffix(dir, want) {
				y.Errorf("cgroup is %s, want …%s", dir, want)
			}
			if strings.HasPrefix(path, "/") {
				point := Cgroups().V1["memory"]
				if Cgroups().Unified() {
					point = Cgroups().V2
				}
				Equal(y, "cgroup", dir, point+full)
			}
			// Every hierarchy has it.
			for controller := range Cgroups().V1 {
				if !strings.Contains(y.CgroupDir(c.Pid, controller), y.ID) {
					y.Errorf("controller %s: %s", controller, y.CgroupDir(c.Pid, controller))
				}
			}
			y.OK("delete", "--force", c.ID)
			if _, err := os.Stat(dir); err == nil {
				y.Errorf("%s is still there", dir)
			}
			// Parents that the runtime made for a nested path belong to whoever comes next.
			if name == "relative" {
				_ = os.Remove(filepath.Dir(dir))
			}
			for _, parent := range []string{"a", ""} {
				for _, point := range Cgroups().Points() {
					_ = os.Remove(filepath.Join(point, y.ID+"-nest", parent))
					_ = os.Remove(filepath.Join(point, own, y.ID+"-rel"))
					_ = os.Remove(filepath.Join(point, y.ID+"-rel"))
				}
			}
		}, Cgroup("memory"))
	}
}

// inOwnCgroups makes the call run in a cgroup of the test's own, in the hierarchies
// where a plain directory is enough, and returns the cgroup's path.
func inOwnCgroups(x *Test, cmd *Cmd) string {
	x.Helper()
	name := "own-" + x.ID
	if len(Cgroups().V1) == 0 {
		return ""
	}
	var dirs []string
	for controller, point := range Cgroups().V1 {
		if controller == "cpuset" {
			continue
		}
		dir := filepath.Join(point, name)
		x.Must(os.MkdirAll(dir, 0o755))
		dirs = append(dirs, dir)
		x.Cleanup(func() {
			// Relative paths of containers may stand below.
			_ = os.Remove(filepath.Join(dir, x.ID+"-rel"))
			if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
				x.Errorf("%v", err)
			}
		})
	}
	cmd.Role = append([]string{"cgroup"}, dirs...)
	return name
}

// An existing cgroup path that others use is not taken away with the container.
func TestCgroupSharedParent(t *testing.T) {
	x := New(t, Cgroup("memory"))
	parent := "/" + x.ID + "-parent"
	edit := func(name string) Edit {
		return func(s *specs.Spec) { s.Linux.CgroupsPath = parent + "/" + name }
	}
	first := x.Up(edit("one"))
	second := x.UpAs(x.NewID(), edit("two"))
	x.OK("delete", "--force", first.ID)
	Equal(x, "status of the other", second.State().Status, "running")
	Equal(x, "other is alive", Alive(second.Pid), true)
	x.OK("delete", "--force", second.ID)
	for _, point := range Cgroups().Points() {
		_ = os.Remove(point + parent)
	}
}

func TestPauseResume(t *testing.T) {
	x := New(t, Cgroup("freezer"))
	c := x.Up(Args("/bin/probe", "signals"))
	c.WaitOut("ready")
	x.OK("pause", c.ID)
	Equal(x, "status", c.State().Status, "paused")
	Equal(x, "pid", c.State().Pid, c.Pid)
	Equal(x, "freezer", x.CgroupFile(c.Pid, "freezer", "freezer.state", "cgroup.freeze"), map[bool]string{true: "1", false: "FROZEN"}[Cgroups().Unified()])
	x.Sub("exec in a paused container", func(y *Test) {
		y.PeerFails("crun", "1.8.1 hangs or has a sentence of its own")
		y.Refused(c.Exec("/bin/true"), 255, `cannot exec in a paused container \(use --ignore-paused to override\)`)
	}, Serial, Not("crun", "1.8.1 waits for the thaw"))
	x.Sub("delete a paused container", func(y *Test) {
		y.Refused(x.Do("delete", c.ID), 1, "not stopped: paused")
	}, Serial)
	x.Sub("pause twice", func(y *Test) {
		y.PeerFails("crun", "1.8.1 exits with 0")
		y.Refused(x.Do("pause", c.ID), 1, "container not running")
	}, Serial)
	x.OK("kill", c.ID, "USR1")
	x.OK("resume", c.ID)
	Equal(x, "status", c.State().Status, "running")
	c.WaitOut("got SIGUSR1")
	x.Sub("resume a running container", func(y *Test) {
		y.PeerFails("crun", "1.8.1 exits with 0")
		y.Refused(x.Do("resume", c.ID), 1, "container not paused")
	}, Serial)
	// list shows it, too.
	x.OK("pause", c.ID)
	x.Contains("list", x.OK("list").Stdout, "paused")
	x.OK("resume", c.ID)
}

// exec --ignore-paused waits in the cgroup until the thaw.
func TestExecIgnorePaused(t *testing.T) {
	x := New(t, Cgroup("freezer"), Not("crun", "1.8.1 has no --ignore-paused"))
	c := x.Up()
	x.OK("pause", c.ID)
	p := c.ExecCmd([]string{"--ignore-paused"}, "/bin/echo", "thawed").Start()
	x.OK("resume", c.ID)
	r := p.Wait()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "thawed\n")
}

// SIGKILL reaches a frozen container.
func TestKillFrozen(t *testing.T) {
	x := New(t, Cgroup("freezer"))
	x.PeerFails("crun", "1.8.1 leaves it frozen on v1")
	c := x.Up()
	x.OK("pause", c.ID)
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}

// A container is not made in a frozen cgroup, where its init would stop.
func TestFrozenCgroup(t *testing.T) {
	x := New(t, Root, Cgroup("freezer"), Berth)
	if x.Systemd() {
		t.Skip("needs the cgroupfs driver: systemd has paths of its own")
	}
	c := x.Up()
	x.OK("pause", c.ID)
	id := x.NewID()
	b := x.BundleFor(id, func(s *specs.Spec) { s.Linux.CgroupsPath = x.DefaultSpec(c.ID).Linux.CgroupsPath + "/below" })
	x.Refused(x.Do("create", "--bundle", b.Dir, id), 1, "is frozen")
	_, err := os.Stat(filepath.Join(x.CgroupDir(c.Pid, "freezer"), "below"))
	Equal(x, "made below it", err == nil, false)
	x.OK("resume", c.ID)

	// One that is there and frozen stays as it is.
	id = x.NewID()
	path := x.DefaultSpec(id).Linux.CgroupsPath
	own := filepath.Join(filepath.Dir(x.CgroupDir(c.Pid, "freezer")), filepath.Base(path))
	x.Must(os.Mkdir(own, 0o755))
	defer RemoveCgroup(own)
	file, frozen, thawed := own+"/freezer.state", "FROZEN", "THAWED"
	if Cgroups().Unified() {
		file, frozen, thawed = own+"/cgroup.freeze", "1", "0"
	}
	x.Must(os.WriteFile(file, []byte(frozen), 0))
	x.Refused(x.Do("create", "--bundle", x.BundleFor(id).Dir, id), 1, "is frozen")
	Equal(x, "state afterwards", strings.TrimSpace(x.ReadFile(file)), frozen)
	x.Must(os.WriteFile(file, []byte(thawed), 0))
}

// exec joins the container's cgroups in every hierarchy.
func TestExecCgroup(t *testing.T) {
	x := New(t, Cgroup())
	c := x.Up()
	init := x.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid))
	Equal(x, "cgroups of an exec", c.ExecOK("/bin/cat", "/proc/self/cgroup"), init)
}

// exec --cgroup joins one below the container's, and none beside it (runc#5351).
func TestExecIntoSubCgroup(t *testing.T) {
	x := New(t, Cgroup("memory"), V1, Not("crun", "1.8.1 means another thing by it"))
	c := x.Up()
	sub := filepath.Join(x.CgroupDir(c.Pid, "memory"), "sub")
	x.Must(os.Mkdir(sub, 0o755))
	r := c.ExecCmd([]string{"--cgroup", "memory:sub"}, "/bin/cat", "/proc/self/cgroup").Run()
	x.Code(r, 0)
	x.Contains("cgroups", r.Stdout, "/"+x.ID+"/sub\n")
	beside := filepath.Join(filepath.Dir(sub), "..", x.ID+"-suffix")
	x.Must(os.Mkdir(beside, 0o755))
	x.Cleanup(func() { _ = os.Remove(beside) })
	for _, path := range []string{"../" + x.ID + "-suffix", "..", "nosuch", "/"} {
		r := c.ExecCmd([]string{"--cgroup", "memory:" + path}, "/bin/cat", "/proc/self/cgroup").Run()
		if path == "/" && r.Code == 0 {
			x.ContainsNot("cgroups", r.Stdout, ":memory:/\n")
			continue
		}
		if r.Code == 0 {
			if RuntimeName() == "runc" {
				x.Logf("known: runc 1.1.5 joins %s (runc#5351)", path)
				continue
			}
			x.Errorf("%v: want an error", r)
		}
	}
	x.Must(os.Remove(beside))
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// Files a container's OOM watchers and stats need are there while the init lives.
func TestOOMFiles(t *testing.T) {
	x := New(t, Cgroup("memory"))
	c := x.Create(x.Bundle())
	x.CgroupFile(c.Pid, "memory", "memory.oom_control", "memory.events")
	x.CgroupFile(c.Pid, "memory", "memory.usage_in_bytes", "memory.current")
}

// A cgroup made by the container itself does not keep delete from ending clean.
func TestSubCgroupsAreRemoved(t *testing.T) {
	x := New(t, Cgroup("memory"))
	c := x.Up()
	dir := filepath.Join(x.CgroupDir(c.Pid, "memory"), "inner/most")
	x.Must(os.MkdirAll(dir, 0o755))
	x.Must(os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(fmt.Sprint(c.Pid)), 0))
	x.OK("delete", "--force", c.ID)
	x.Until("the end of init", func() bool { return syscall.Kill(c.Pid, 0) != nil || !Alive(c.Pid) })
	x.NothingLeft()
}
