package fs2

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return cgtest.Ptr(v) }

// create makes a cgroup on a pure v2 host and removes it after the test.
func create(t *testing.T, cfg cgroups.Config) *Manager {
	t.Helper()
	l := cgtest.Layout(t)
	if !l.V2 {
		t.Skip("the host is not pure cgroup v2")
	}
	cfg.ID = cgtest.Name()
	m, err := New(cfg, l)
	if err != nil {
		t.Fatal(err)
	}
	cgtest.Start(t, m, cfg.Resources)
	return m
}

func read(t *testing.T, m *Manager, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(m.path, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// expect compares control files with what they should hold.
func expect(t *testing.T, m *Manager, want map[string]string) {
	t.Helper()
	for file, v := range want {
		if got := read(t, m, file); got != v {
			t.Errorf("%s: %q, want %q", file, got, v)
		}
	}
}

func TestLimits(t *testing.T) {
	m := create(t, cgroups.Config{Resources: &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(96 << 20)), Reservation: ptr(int64(32 << 20)), DisableOOMKiller: ptr(false)},
		CPU: &specs.LinuxCPU{
			Shares: ptr(uint64(1024)), Quota: ptr(int64(25000)), Period: ptr(uint64(50000)), Burst: ptr(uint64(20000)), Cpus: "0", Mems: "0",
		},
		Pids:           &specs.LinuxPids{Limit: ptr(int64(0))},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}},
		Unified:        map[string]string{"memory.high": "50331648", "cgroup.max.depth": "7"},
	}})
	expect(t, m, map[string]string{
		"memory.max": "67108864", "memory.swap.max": "33554432", "memory.low": "33554432", "memory.high": "50331648",
		"cpu.weight": "100", "cpu.max": "25000 50000", "cpu.max.burst": "20000", "cpuset.cpus": "0", "cpuset.mems": "0",
		"pids.max": "0", "hugetlb.2MB.max": "4194304", "cgroup.max.depth": "7",
	})
	up := func(r *specs.LinuxResources) {
		t.Helper()
		if err := Load(m.Record()).Set(r); err != nil {
			t.Error(err)
		}
	}
	up(&specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(uint64(100000))}})
	up(&specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr(int64(80 << 20))}})
	expect(t, m, map[string]string{"cpu.max": "25000 100000", "memory.max": "67108864", "memory.swap.max": "16777216"})
	// Both bounds may come down at once.
	up(&specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(5000)), Period: ptr(uint64(10000)), Burst: ptr(uint64(1000))}})
	up(&specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(40000))}})
	expect(t, m, map[string]string{"cpu.max": "50000 100000", "cpu.max.burst": "40000"})
	up(&specs.LinuxResources{
		CPU:    &specs.LinuxCPU{Quota: ptr(int64(-1)), Burst: ptr(uint64(0)), Idle: ptr(int64(1))},
		Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(-1))},
	})
	expect(t, m, map[string]string{"cpu.max": "max 100000", "cpu.idle": "1", "memory.max": "max", "memory.swap.max": "max", "pids.max": "max"})
	// Shares cannot be set while idle.
	up(&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(2)), Idle: ptr(int64(0))}})
	expect(t, m, map[string]string{"cpu.weight": "1", "cpu.idle": "0"})
	up(&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(0))}, Memory: &specs.LinuxMemory{Limit: ptr(int64(0)), Swappiness: ptr(^uint64(0))}})
	expect(t, m, map[string]string{"cpu.weight": "1", "memory.max": "max"})
}

func TestIO(t *testing.T) {
	names, err := filepath.Glob("/sys/block/[vs]d*/dev")
	if err != nil || len(names) == 0 {
		t.Skip("no disk")
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	number := strings.TrimSpace(string(b))
	major, minor, _ := strings.Cut(number, ":")
	var dev specs.LinuxThrottleDevice
	if dev.Major, err = strconv.ParseInt(major, 10, 64); err != nil {
		t.Fatal(err)
	}
	if dev.Minor, err = strconv.ParseInt(minor, 10, 64); err != nil {
		t.Fatal(err)
	}
	dev.Rate = 1 << 20
	m := create(t, cgroups.Config{Resources: &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{dev}, ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{dev},
	}}})
	expect(t, m, map[string]string{"io.max": number + " rbps=1048576 wbps=max riops=max wiops=1048576"})
	dev.Rate = 0
	if err := m.Set(&specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{dev}}}); err != nil {
		t.Error(err)
	}
	expect(t, m, map[string]string{"io.max": number + " rbps=max wbps=max riops=max wiops=1048576"})
	err = m.Set(&specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(1000))}})
	switch {
	case exists(m, "io.bfq.weight"):
		expect(t, m, map[string]string{"io.bfq.weight": "default 1000"})
	case exists(m, "io.weight"):
		expect(t, m, map[string]string{"io.weight": "default 10000"})
	default:
		if err == nil || !strings.Contains(err.Error(), "blockIO.weight cannot be applied") {
			t.Error(err)
		}
		return
	}
	if err != nil {
		t.Error(err)
	}
}

func exists(m *Manager, file string) bool {
	_, err := os.Stat(filepath.Join(m.path, file))
	return err == nil
}

func TestUnifiedRefused(t *testing.T) {
	m := create(t, cgroups.Config{})
	for file, want := range map[string]string{
		"memory.nonsense": "has no file", "../cgroup.procs": "not a file name", "memory.max": "invalid argument",
	} {
		if err := m.Set(&specs.LinuxResources{Unified: map[string]string{file: "x"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A controller that the parent cannot give, because it holds a process, is refused
// by name, and what was made is removed.
func TestParentBusy(t *testing.T) {
	outer := create(t, cgroups.Config{})
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // Wait tells
		_ = cmd.Wait()
	}()
	if err := outer.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	l, err := cgfile.Detect()
	if err != nil {
		t.Fatal(err)
	}
	inner, err := New(cgroups.Config{
		ID: "x", Path: "/" + filepath.Base(outer.path) + "/a",
		Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1 << 20))}},
	}, l)
	if err != nil {
		t.Fatal(err)
	}
	err = inner.Create()
	if err == nil || !strings.Contains(err.Error(), `cgroup controller "memory" is not available in `) {
		t.Error(err)
	}
	if exists(outer, "a") {
		t.Error("the directory is left")
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		r    specs.LinuxResources
		want string
	}{
		{specs.LinuxResources{Memory: &specs.LinuxMemory{KernelTCP: ptr(int64(1))}}, "memory.kernelTCP"},
		{specs.LinuxResources{Memory: &specs.LinuxMemory{Swappiness: ptr(uint64(1))}}, "memory.swappiness"},
		{specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}}, "memory.disableOOMKiller"},
		{specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(1))}}, "cpu.realtimeRuntime"},
		{specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimePeriod: ptr(uint64(1))}}, "cpu.realtimePeriod"},
		{specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr(uint16(10))}}, "blockIO.leafWeight"},
		{specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}}, "network.classID"},
		{specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{}}}}, "network.priorities"},
	} {
		if err := refuse(&c.r); err == nil || !strings.Contains(err.Error(), "linux.resources."+c.want+" cannot") {
			t.Errorf("%s: %v", c.want, err)
		}
	}
	zero := specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Swappiness: ptr(^uint64(0)), DisableOOMKiller: ptr(false), KernelTCP: ptr(int64(0))},
		CPU:     &specs.LinuxCPU{RealtimeRuntime: ptr(int64(0))},
		Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0))},
	}
	if err := refuse(&zero); err != nil {
		t.Error(err)
	}
}

func TestConvert(t *testing.T) {
	for shares, want := range map[uint64]uint64{0: 1, 1: 1, 2: 1, 3: 2, 100: 17, 1024: 100, 2048: 174, 262143: 10000, 262144: 10000, 1 << 40: 10000} {
		if got := CPUWeight(shares); got != want {
			t.Errorf("shares %d: %d, want %d", shares, got, want)
		}
	}
	for weight, want := range map[uint16]uint64{10: 1, 500: 4950, 1000: 10000} {
		if got := IOWeight(weight); got != want {
			t.Errorf("weight %d: %d, want %d", weight, got, want)
		}
	}
	for _, c := range []struct {
		mem, memswap, want int64
		set, fails         bool
	}{
		{-1, 0, -1, true, false}, {100, -1, -1, true, false}, {100, 0, 0, false, false}, {100, 100, 0, true, false},
		{100, 150, 50, true, false}, {100, 50, 0, false, true}, {0, 50, 0, false, true}, {-1, 50, 50, true, false}, {0, 0, 0, false, false},
	} {
		got, set, err := Swap(c.mem, c.memswap)
		if got != c.want || set != c.set || (err != nil) != c.fails {
			t.Errorf("Swap(%d, %d): %d %v %v", c.mem, c.memswap, got, set, err)
		}
	}
}

// A limit below the usage would kill: the check says so first.
func TestCheckBeforeUpdate(t *testing.T) {
	m := create(t, cgroups.Config{})
	cmd := exec.Command("sh", "-c", "exec sleep 1000")
	cmd.SysProcAttr = &unix.SysProcAttr{}
	j, err := m.OpenJoin(nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, j.Dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = m.Kill() // Destroy tells
		_ = cmd.Wait()
		_ = unix.Close(j.Dir)
	}()
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(4096)), CheckBeforeUpdate: ptr(true)}}
	if err := m.Set(r); err == nil || !strings.Contains(err.Error(), "below what the container uses") {
		t.Error(err)
	}
	if got := read(t, m, "memory.max"); got != "max" {
		t.Error(got)
	}
}
