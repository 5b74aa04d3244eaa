package fs1

import (
	"os"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func layout(t testing.TB) *cgroups.Layout {
	t.Helper()
	l := cgtest.Layout(t)
	if l.V2 {
		t.Skip("the host has cgroup v2")
	}
	return l
}

// config gives a unique cgroup.
func config() cgroups.Config { return cgroups.Config{ID: cgtest.Name()} }

// create makes a cgroup and removes it after the test.
func create(t testing.TB, cfg cgroups.Config) *Manager {
	t.Helper()
	m, err := New(cfg, layout(t))
	if err != nil {
		t.Fatal(err)
	}
	cgtest.Start(t, m, cfg.Resources)
	return m
}

// read returns a control file of the container.
func read(t testing.TB, m *Manager, controller, file string) string {
	t.Helper()
	g := m.find(controller)
	if g == nil {
		t.Skipf("cgroup controller %q is not mounted", controller)
	}
	b, err := os.ReadFile(g.path + "/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func ptr[T any](v T) *T { return cgtest.Ptr(v) }

func TestLimits(t *testing.T) {
	cfg := config()
	cfg.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{
			Limit: ptr(int64(64 << 20)), Swap: ptr(int64(128 << 20)), Reservation: ptr(int64(32 << 20)),
			KernelTCP: ptr(int64(16 << 20)), Swappiness: ptr(uint64(30)), DisableOOMKiller: ptr(true),
			UseHierarchy: ptr(true),
		},
		CPU: &specs.LinuxCPU{
			Shares: ptr(uint64(512)), Period: ptr(uint64(50000)), Quota: ptr(int64(25000)),
			Burst: ptr(uint64(20000)), Cpus: "0", Mems: "0",
		},
		Pids: &specs.LinuxPids{Limit: ptr(int64(77))},
	}
	m := create(t, cfg)
	for _, c := range []struct{ controller, file, want string }{
		{"memory", "memory.limit_in_bytes", "67108864"},
		{"memory", "memory.memsw.limit_in_bytes", "134217728"},
		{"memory", "memory.soft_limit_in_bytes", "33554432"},
		{"memory", "memory.kmem.tcp.limit_in_bytes", "16777216"},
		{"memory", "memory.swappiness", "30"},
		{"cpu", "cpu.shares", "512"},
		{"cpu", "cpu.cfs_period_us", "50000"},
		{"cpu", "cpu.cfs_quota_us", "25000"},
		{"cpu", "cpu.cfs_burst_us", "20000"},
		{"cpuset", "cpuset.cpus", "0"},
		{"cpuset", "cpuset.mems", "0"},
		{"pids", "pids.max", "77"},
	} {
		if got := read(t, m, c.controller, c.file); got != c.want {
			t.Errorf("%s: %s, want %s", c.file, got, c.want)
		}
	}
	if got := read(t, m, "memory", "memory.oom_control"); !strings.HasPrefix(got, "oom_kill_disable 1") {
		t.Errorf("memory.oom_control: %s", got)
	}
	want := "c *:* m\nb *:* m\nc 1:3 rwm"
	if got := read(t, m, "devices", "devices.list"); !strings.HasPrefix(got, want) {
		t.Errorf("devices.list:\n%s", got)
	}
}
