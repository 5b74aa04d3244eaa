package load

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// limited sets resources beside the device rules.
func limited(r specs.LinuxResources) Edit {
	return func(s *specs.Spec) {
		r.Devices = s.Linux.Resources.Devices
		s.Linux.Resources = &r
	}
}

// number reads a control file that holds one.
func number(x *Test, pid int, controller, v1, v2 string) int {
	x.Helper()
	n, err := strconv.Atoi(x.CgroupFile(pid, controller, v1, v2))
	x.Must(err)
	return n
}

// key reads a number out of a control file of "key value" lines; -1 when it has none.
func key(x *Test, pid int, controller, v1, v2, name string) int {
	x.Helper()
	for line := range strings.Lines(x.CgroupFile(pid, controller, v1, v2)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
		if k == name {
			n, err := strconv.Atoi(v)
			x.Must(err)
			return n
		}
	}
	return -1
}

// Workloads that take more memory than they may are killed, each in its container, and
// events says so of those alone.
func TestOutOfMemory(t *testing.T) {
	x := New(t, Cgroup("memory"), Not("crun", "it has no events"))
	const limit = 32 << 20
	memory := limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(limit)), Swap: Ptr(int64(limit))}})
	greedy := []*Container{x.Up(memory), x.UpAs(x.NewID(), memory), x.UpAs(x.NewID(), memory)}
	modest := x.UpAs(x.NewID(), memory)
	watch := func(c *Container) *Proc {
		p := x.Cmd("events", "--interval", "100ms", c.ID).Start()
		x.Until("statistics", func() bool { return strings.Contains(p.Out(), `"stats"`) })
		return p
	}
	quiet := watch(modest)
	var watches, eaters []*Proc
	for _, c := range greedy {
		watches = append(watches, watch(c))
	}
	for _, c := range greedy {
		eaters = append(eaters, c.ExecCmd(nil, "/bin/probe", "grow", "200").Start())
	}
	for i, c := range greedy {
		x.Code(eaters[i].Wait(), 137)
		x.Until("an OOM event of "+c.ID, func() bool { return ooms(watches[i].Out(), c.ID) > 0 })
		Equal(x, "status", c.State().Status, "running")
		// The kernel lets who is being killed have some more, to end with.
		if most := number(x, c.Pid, "memory", "memory.max_usage_in_bytes", "memory.peak"); most > limit+1<<20 {
			x.Errorf("%d bytes were used of %d", most, limit)
		}
	}
	x.Code(modest.Exec("/bin/probe", "grow", "4"), 0)
	Equal(x, "OOM events of the modest one", strings.Count(quiet.Out(), `"oom"`), 0)
}

// ooms counts the OOM events of a container among whole lines.
func ooms(text, id string) (n int) {
	for line := range strings.Lines(text) {
		var e struct{ Type, ID string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Type == "oom" && e.ID == id {
			n++
		}
	}
	return n
}

// A fork bomb stays within its limit for as long as it runs, and is gone with the container.
func TestForkBomb(t *testing.T) {
	x := New(t, Cgroup("pids"))
	const limit = 64
	c := x.Create(x.Bundle(Args("/bin/probe", "bomb"), limited(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: Ptr(int64(limit))}})))
	x.OK("start", c.ID)
	most := 0
	x.Until("many forks that the limit refuses", func() bool {
		now := number(x, c.Pid, "pids", "pids.current", "pids.current")
		if most = max(most, now); now > limit {
			x.Fatalf("%d processes, the limit is %d", now, limit)
		}
		return key(x, c.Pid, "pids", "pids.events", "pids.events", "max") > 10000
	})
	Equal(x, "processes at most", most, limit)
	Equal(x, "status", c.State().Status, "running")
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// Workloads that want two processors and may have a part of one get that part, by
// the kernel's own count, over five seconds.
func TestCPUQuota(t *testing.T) {
	x := New(t, Cgroup("cpu"), Kernel("the cpuacct controller", func() bool {
		return Cgroups().Unified() || Cgroups().Has("cpuacct")
	}), Serial)
	const percent = 30
	c := x.Up(Shell("while :; do :; done & while :; do :; done"),
		limited(specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: Ptr(int64(percent * 1000)), Period: Ptr(uint64(100000))}}))
	stat := func(name string) int { return key(x, c.Pid, "cpu", "cpu.stat", "cpu.stat", name) }
	x.Until("throttling", func() bool { return stat("nr_throttled") > 0 })
	used, periods, throttled, begin := cpuTime(x, c.Pid), stat("nr_periods"), stat("nr_throttled"), time.Now()
	x.Until("the end of five seconds", func() bool { return time.Since(begin) >= 5*time.Second })
	wall := time.Since(begin)
	used, periods, throttled = cpuTime(x, c.Pid)-used, stat("nr_periods")-periods, stat("nr_throttled")-throttled
	share := 100 * float64(used) / float64(wall)
	x.Logf("%v in %v: %.2f %%, quota %d %%; %d of %d periods were throttled", used, wall, share, percent, throttled, periods)
	if share > percent*1.05 {
		x.Errorf("used %.2f %% of a processor, the quota is %d %%", share, percent)
	}
	// Who was not throttled did not get the processor from others on this host.
	if throttled >= periods-1 && share < percent*0.95 {
		x.Errorf("used %.2f %% of a processor and was throttled, the quota is %d %%", share, percent)
	}
}

// cpuTime is what the container has used.
func cpuTime(x *Test, pid int) time.Duration {
	x.Helper()
	if Cgroups().Unified() {
		return time.Duration(key(x, pid, "cpu", "", "cpu.stat", "usage_usec")) * time.Microsecond
	}
	return time.Duration(number(x, pid, "cpuacct", "cpuacct.usage", "")) * time.Nanosecond
}
