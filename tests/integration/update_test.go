package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// knob is a control file with its names on v1 and v2.
type knob struct{ controller, v1, v2 string }

var (
	memoryMax = knob{"memory", "memory.limit_in_bytes", "memory.max"}
	memoryLow = knob{"memory", "memory.soft_limit_in_bytes", "memory.low"}
	pidsMax   = knob{"pids", "pids.max", "pids.max"}
	cpuWeight = knob{"cpu", "cpu.shares", "cpu.weight"}
	cpusetOn  = knob{"cpuset", "cpuset.cpus", "cpuset.cpus"}
)

func read(x *Test, c *Container, k knob) string {
	x.Helper()
	return x.CgroupFile(c.Pid, k.controller, k.v1, k.v2)
}

// bandwidth is "QUOTA PERIOD", no quota being max.
func bandwidth(x *Test, c *Container) string {
	x.Helper()
	if Cgroups().Unified() {
		return x.CgroupFile(c.Pid, "cpu", "", "cpu.max")
	}
	quota := x.CgroupFile(c.Pid, "cpu", "cpu.cfs_quota_us", "")
	return strings.Replace(quota, "-1", "max", 1) + " " + x.CgroupFile(c.Pid, "cpu", "cpu.cfs_period_us", "")
}

// onV picks what is right for the host's version.
func onV(v1, v2 string) string {
	if Cgroups().Unified() {
		return v2
	}
	return v1
}

// noLimit is how a memory limit of none reads.
func noLimit() string { return onV("9223372036854771712", "max") }

// fed calls the runtime with text on stdin.
func fed(x *Test, text string, args ...string) Result {
	x.Helper()
	f, err := os.Open(x.WriteFile("stdin", text, 0o644))
	x.Must(err)
	defer func() { _ = f.Close() }() // only read from
	cmd := x.Cmd(args...)
	cmd.Stdin = f
	return cmd.Run()
}

var limits = limited(specs.LinuxResources{
	Memory: &specs.LinuxMemory{Limit: Ptr(int64(96 << 20)), Reservation: Ptr(int64(48 << 20))},
	CPU:    &specs.LinuxCPU{Shares: Ptr(uint64(512)), Quota: Ptr(int64(50000)), Period: Ptr(uint64(100000))},
	Pids:   &specs.LinuxPids{Limit: Ptr(int64(99))},
})

// state of all knobs, to compare.
func settings(x *Test, c *Container) string {
	x.Helper()
	return fmt.Sprintln(read(x, c, memoryMax), read(x, c, memoryLow), read(x, c, pidsMax), read(x, c, cpuWeight), bandwidth(x, c), read(x, c, cpusetOn))
}

func TestUpdateFlags(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids"))
	x.PeerFails("crun", "1.8.1 takes no units in sizes")
	b := x.Bundle(Args("/bin/probe", "pause"), limits)
	c := x.Create(b)
	change := func(memory, pids int) {
		x.Helper()
		x.OK("update", "--memory", fmt.Sprint(memory)+"M", "--memory-reservation=32m", "--pids-limit", fmt.Sprint(pids),
			"--cpu-quota", "20000", "--cpu-period", "50000", "--cpu-share", "1024", c.ID)
		Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(memory<<20))
		Equal(x, "reservation", read(x, c, memoryLow), fmt.Sprint(32<<20))
		Equal(x, "pids", read(x, c, pidsMax), fmt.Sprint(pids))
		Equal(x, "bandwidth", bandwidth(x, c), "20000 50000")
		Equal(x, "weight", read(x, c, cpuWeight), onV("1024", "100"))
	}
	change(64, 50) // created
	c.Start()
	change(80, 60)
	x.OK("pause", c.ID)
	change(72, 15)
	Equal(x, "status", c.State().Status, "paused")
	x.OK("resume", c.ID)

	// The limit holds: it is not just in the file.
	out := c.ExecOK("/bin/probe", "forks", "25")
	n, err := strconv.Atoi(strings.Fields(out)[0])
	x.Must(err)
	if n >= 15 {
		x.Errorf("%d processes with a limit of 15", n)
	}
}

func TestUpdateUnlimited(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids"))
	x.PeerFails("crun", "1.8.1 writes -1 to pids.max")
	c := x.Up(limits)
	x.OK("update", "--memory", "-1", "--cpu-quota", "-1", "--pids-limit", "-1", c.ID)
	Equal(x, "memory", read(x, c, memoryMax), noLimit())
	Equal(x, "bandwidth", bandwidth(x, c), "max 100000")
	Equal(x, "pids", read(x, c, pidsMax), "max")
}

// One limit of a pair leaves the other alone.
func TestUpdateQuotaOrPeriod(t *testing.T) {
	x := New(t, Cgroup("cpu"))
	c := x.Up(limits)
	x.OK("update", "--cpu-quota", "30000", c.ID)
	Equal(x, "new quota", bandwidth(x, c), "30000 100000")
	x.OK("update", "--cpu-period", "60000", c.ID)
	Equal(x, "new period", bandwidth(x, c), "30000 60000")
}

// Scripts for runc have the flags behind the container.
func TestUpdateFlagsBehind(t *testing.T) {
	x := New(t, Cgroup("pids"))
	x.PeerFails("crun", "1.8.1 wants flags first")
	c := x.Up(limits)
	x.OK("update", c.ID, "--pids-limit", "33")
	Equal(x, "pids", read(x, c, pidsMax), "33")
}

// dockerZeros is what dockerd sends for `docker update --cpu-shares 256`.
const dockerZeros = `{"memory":{"limit":0,"reservation":0,"swap":0,"kernel":0},
	"cpu":{"shares":%d,"quota":0,"period":0,"realtimeRuntime":0,"realtimePeriod":0,"cpus":"","mems":""},
	"pids":{"limit":0},"blockIO":{"weight":0}}`

func TestUpdateZeros(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids", "cpuset"))
	x.PeerFails("crun", "1.8.1 writes the zeros")
	c := x.Up(limits)
	before := settings(x, c)
	for _, args := range [][]string{{"update", "--resources", "-", c.ID}, {"update", "--resources=-", c.ID}, {"update", "-r", "-", c.ID}} {
		if r := fed(x, fmt.Sprintf(dockerZeros, 0), args...); r.Code != 0 || r.Stderr != "" {
			x.Fatalf("%v", r)
		}
		Equal(x, "after nothing but zeros", settings(x, c), before)
	}
	x.Code(fed(x, fmt.Sprintf(dockerZeros, 256), "update", "--resources", "-", c.ID), 0)
	Equal(x, "weight", read(x, c, cpuWeight), onV("256", "35"))
	Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(96<<20))
	x.Code(fed(x, "{}", "update", "--resources", "-", c.ID), 0)
	x.OK("update", c.ID)
}

// A file and flags: the flags win.
func TestUpdateFile(t *testing.T) {
	x := New(t, Cgroup("cpu", "pids"), Berth)
	c := x.Up(limits)
	file := x.WriteFile("resources.json", `{"pids": {"limit": 40}, "cpu": {"shares": 2048, "idle": 0}}`, 0o644)
	x.OK("update", "--resources", file, "--pids-limit", "41", c.ID)
	Equal(x, "pids", read(x, c, pidsMax), "41")
	Equal(x, "weight", read(x, c, cpuWeight), onV("2048", "174"))
}

// Memory, shares and quota are written before an impossible list of CPUs, and put back.
func TestUpdateRollback(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids", "cpuset"), Berth)
	c := x.Up(limits)
	before := settings(x, c)
	for _, memory := range []string{"200m", "64m", "-1"} {
		r := x.Do("update", "--memory", memory, "--cpu-share", "2", "--cpu-quota", "7000", "--pids-limit", "5", "--cpuset-cpus", "4000", c.ID)
		x.Refused(r, 1, `write "4000" to .*cpuset.cpus: `)
		Equal(x, "after a refused update", settings(x, c), before)
	}
	x.OK("update", "--memory", "64m", c.ID)
}

// full starts a container that holds on to 24 MiB.
func full(x *Test) *Container {
	x.Helper()
	c := x.CreateAs(x.ID, x.Bundle(limits, Shell(`dd if=/dev/zero of=/dev/shm/x bs=1M count=24 2>/dev/null; echo full; trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done`)))
	c.Start()
	c.WaitOut("full")
	return c
}

func TestUpdateBelowUsage(t *testing.T) {
	x := New(t, Cgroup("memory", "pids"), Berth)
	c := full(x)
	usage, err := strconv.Atoi(read(x, c, knob{"memory", "memory.usage_in_bytes", "memory.current"}))
	x.Must(err)
	r := x.Do("update", "--pids-limit", "20", "--memory", "16m", c.ID)
	x.Refused(r, 1, `memory limit 16777216 is below what the container uses: \d+ bytes`)
	_, after, _ := strings.Cut(r.Stderr, "what the container uses: ")
	var told int
	if _, err := fmt.Sscanf(after, "%d bytes", &told); err != nil {
		x.Fatalf("%v: %v", r, err)
	}
	if told < 24<<20 || told > 2*usage {
		x.Errorf("the usage in the sentence is %d, that of the cgroup %d", told, usage)
	}
	Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(96<<20))
	Equal(x, "pids", read(x, c, pidsMax), "99")
	Equal(x, "status", c.State().Status, "running")
	x.OK("update", "--memory", "40m", c.ID)
	Equal(x, "memory above the usage", read(x, c, memoryMax), fmt.Sprint(40<<20))
}

// With --force v1 refuses by itself, with the usage, and v2 kills.
func TestUpdateForced(t *testing.T) {
	x := New(t, Cgroup("memory"), Berth)
	c := full(x)
	r := x.Do("update", "--force", "--memory", "16m", c.ID)
	if !Cgroups().Unified() {
		x.Refused(r, 1, `device or resource busy: the container uses \d+ bytes`)
		Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(96<<20))
		return
	}
	// The scope goes with its processes, before systemd has been told the limit.
	if !x.Systemd() {
		x.Code(r, 0)
	}
	if strings.Count(x.ReadFile("/proc/swaps"), "\n") > 1 {
		return // what does not fit may be there
	}
	c.WaitStatus("stopped")
}

func TestUpdateSwap(t *testing.T) {
	x := New(t, Cgroup("memory"))
	memsw := filepath.Join(x.CgroupDir(os.Getpid(), "memory"), "memory.memsw.limit_in_bytes")
	if _, err := os.Stat(memsw); err != nil {
		x.Skipf("needs swap accounting on cgroup v1")
	}
	c := x.Up(limits)
	swap := knob{"memory", "memory.memsw.limit_in_bytes", ""}
	for _, m := range [][2]int{{200, 300}, {20, 30}, {50, 500}} {
		x.OK("update", "--memory", fmt.Sprint(m[0]<<20), "--memory-swap", fmt.Sprint(m[1]<<20), c.ID)
		Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(m[0]<<20))
		Equal(x, "memory and swap", read(x, c, swap), fmt.Sprint(m[1]<<20))
	}
	x.OK("update", "--memory-swap", "-1", c.ID)
	Equal(x, "memory and swap", read(x, c, swap), noLimit())
	if IsBerth() {
		x.Refused(x.Do("update", "--memory", "60m", "--memory-swap", "30m", c.ID), 1, "linux.resources.memory.swap: .* is less than the limit")
	}
}

func TestUpdateStopped(t *testing.T) {
	x := New(t, Cgroup("pids"))
	x.PeerFails("crun", "1.8.1 updates what has stopped")
	c := x.Up(limits)
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	x.Refused(x.Do("update", "--pids-limit", "7", c.ID), 1, "container not running")
	x.Refused(x.Do("update", "--pids-limit", "7", x.ID+"x"), 1, "container does not exist")
}

func TestUpdateBadInput(t *testing.T) {
	x := New(t, Cgroup("pids", "memory", "cpu", "cpuset"), Berth)
	c := x.Up(limits)
	before := settings(x, c)
	for _, bad := range []struct{ flag, value, says string }{
		{"memory", "lots", "--memory \"lots\": not a size"},
		{"memory", "1e6", "not a size"},
		{"memory", "-2", "not a size"},
		{"memory", "99999999999999999999g", "not a size"},
		{"pids-limit", "x", "not a number"},
		{"cpu-share", "-1", "not a number"},
		{"cpu-period", "18446744073709551616", "out of range"},
		{"blkio-weight", "70000", "out of range"},
		{"cpuset-cpus", "a-b", "linux.resources.cpu.cpus"},
		{"cpu-share", "1", "minimum allowed cpu-shares|invalid argument"},
		{"l3-cache-schema", "L3:0=f", "--l3-cache-schema: (no resctrl file system is mounted|the container was created without)"},
		{"mem-bw-schema", "MB:0=20", "--mem-bw-schema: (no resctrl file system is mounted|the container was created without)"},
	} {
		if bad.value == "1" && Cgroups().Unified() {
			continue // a weight of 1
		}
		x.Refused(x.Do("update", "--pids-limit", "5", "--"+bad.flag, bad.value, c.ID), 1, bad.says)
	}
	for _, text := range []string{"", "[]", `{"pids": 3}`, `{"memory": {"limit": "1g"}}`, `{"unified": {"../x": "1"}}`, `{"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}`, `{"devices": [{"access": "x"}]}`} {
		x.Refused(fed(x, text, "update", "-r", "-", c.ID), 1)
	}
	x.Refused(x.Do("update", "-r", "nowhere", c.ID), 1, "nowhere: no such file or directory")
	Equal(x, "settings", settings(x, c), before)
}

// Kernel memory is a thing of the past; its flags warn in the log.
func TestUpdateKernelMemory(t *testing.T) {
	x := New(t, Cgroup("memory"), Berth)
	c := x.Up(limits)
	cmd := x.Cmd("update", "--kernel-memory", "1m", "--kernel-memory-tcp", "1m", "--memory", "64m", c.ID)
	cmd.Globals = []string{"--log", filepath.Join(x.Dir, "log")}
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "stderr", r.Stderr, "")
	x.Contains("log", x.ReadFile("log"), "--kernel-memory is ignored")
	x.Contains("log", x.ReadFile("log"), "--kernel-memory-tcp is ignored")
	Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(64<<20))
}

func TestUpdateUnified(t *testing.T) {
	x := New(t, Cgroup("memory"), Berth)
	c := x.Up(limits)
	r := fed(x, `{"unified": {"memory.high": "50331648"}, "memory": {"limit": 67108864}}`, "update", "-r", "-", c.ID)
	if !Cgroups().Unified() {
		x.Refused(r, 1, `linux.resources.unified."memory.high". cannot be applied: the host has cgroup v1`)
		Equal(x, "memory", read(x, c, memoryMax), fmt.Sprint(96<<20))
		return
	}
	x.Code(r, 0)
	Equal(x, "memory.high", x.CgroupFile(c.Pid, "memory", "", "memory.high"), "50331648")
	Equal(x, "memory.max", read(x, c, memoryMax), "67108864")
}

// A running container gains and loses devices.
func TestUpdateDevices(t *testing.T) {
	x := New(t, Cgroup(), Capability(27, "CAP_MKNOD"), Berth)
	rule := func(minor int) string {
		return fmt.Sprintf(`, {"allow": true, "type": "c", "major": 240, "minor": %d, "access": "rw"}`, minor)
	}
	const nothing = `{"allow": false, "access": "rwm"}`
	c := x.Up(func(s *specs.Spec) {
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices,
			specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: Ptr(int64(240)), Minor: Ptr(int64(8)), Access: "rw"})
	})
	c.ExecOK("/bin/probe", "try", "mknod:/dev/old:c:240:8", "mknod:/dev/new:c:240:9")
	open := func(dev string) string {
		x.Helper()
		var tried Tried
		x.JSON(c.ExecOK("/bin/probe", "try", "open:/dev/"+dev), &tried)
		return tried["open:/dev/"+dev]
	}
	update := func(rules string) {
		x.Helper()
		x.Code(fed(x, `{"devices": [`+rules+`]}`, "update", "-r", "-", c.ID), 0)
	}
	// No driver has these numbers, which the kernel finds out behind the cgroup's check.
	const refused, passed = "EPERM", "ENXIO"
	expect := func(when, old, fresh string) {
		x.Helper()
		Equal(x, when+": the device of config.json", open("old"), old)
		Equal(x, when+": the other", open("new"), fresh)
		Equal(x, when+": null", open("null"), "ok")
	}
	expect("at first", passed, refused)
	update(nothing + rule(8) + rule(9))
	expect("one more", passed, passed)
	update(nothing + rule(9))
	expect("one less", refused, passed)
	// The list of config.json is no longer the one in force, so it is a change.
	update(nothing + rule(8))
	expect("as at first", passed, refused)
	update(`{"allow": true, "access": "rwm"}`)
	expect("everything", passed, passed)
	update(nothing)
	expect("nothing", refused, refused)
}

// Engines repeat the rules of config.json with each update; what a hook has
// allowed beside them stays.
func TestUpdateKeepsForeignDevices(t *testing.T) {
	x := New(t, Root, Cgroup("devices"), V1, Berth)
	c := x.Up(limits)
	dir := x.CgroupDir(c.Pid, "devices")
	x.Must(os.WriteFile(filepath.Join(dir, "devices.allow"), []byte("c 195:0 rw"), 0))
	x.Code(fed(x, `{"pids": {"limit": 44}, "devices": [{"allow": false, "access": "rwm"}]}`, "update", "-r", "-", c.ID), 0)
	Equal(x, "pids", read(x, c, pidsMax), "44")
	x.Contains("devices.list", read(x, c, knob{"devices", "devices.list", ""}), "c 195:0 rw")
}

// exec works, and enters the cgroup with the new limits.
func TestExecAfterUpdate(t *testing.T) {
	x := New(t, Cgroup("pids"))
	c := x.Up(limits)
	x.OK("update", "--pids-limit", "12", c.ID)
	if r := c.Exec("/bin/probe", "forks", "30"); r.Code == 0 {
		n, err := strconv.Atoi(strings.Fields(r.Stdout)[0])
		x.Must(err)
		if n >= 12 {
			x.Errorf("%d processes with a limit of 12", n)
		}
	}
	x.OK("kill", c.ID)
	c.WaitStatus("stopped")
	x.OK("delete", c.ID)
	x.NothingLeft()
}
