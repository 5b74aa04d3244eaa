package systemd

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

// values makes a map of a list, in which each name must be once.
func values(t *testing.T, l list) map[string]any {
	t.Helper()
	m := make(map[string]any, len(l))
	for _, p := range l {
		if _, twice := m[p.Name]; twice {
			t.Errorf("%s twice", p.Name)
		}
		m[p.Name] = p.Value.Value()
	}
	return m
}

func TestProperties2(t *testing.T) {
	const mib = int64(1 << 20)
	for _, c := range []struct {
		name    string
		r       specs.LinuxResources
		version int
		want    map[string]any
	}{
		{"nothing", specs.LinuxResources{}, 252, map[string]any{}},
		{"memory", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(4 * mib), Swap: ptr(6 * mib), Reservation: ptr(mib)}}, 252,
			map[string]any{"MemoryMax": uint64(4 * mib), "MemorySwapMax": uint64(2 * mib), "MemoryLow": uint64(mib)}},
		{"no limits", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}, Pids: &specs.LinuxPids{Limit: ptr(int64(-1))}}, 252,
			map[string]any{"MemoryMax": uint64(infinity), "MemorySwapMax": uint64(infinity), "TasksMax": uint64(infinity)}},
		{"no swap limit alone", specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr(int64(-1))}}, 252,
			map[string]any{"MemorySwapMax": uint64(infinity)}},
		{"zero is unchanged", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(0)), Swap: ptr(int64(0))}, CPU: &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(0)), Period: ptr(uint64(0))}}, 252,
			map[string]any{}},
		{"no process", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}, 252, map[string]any{"TasksMax": uint64(1)}},
		{"cpu", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(1024)), Quota: ptr(int64(12345)), Period: ptr(uint64(50000)), Cpus: "0,2-3,9", Mems: "0"}}, 252,
			map[string]any{"CPUWeight": uint64(100), "CPUQuotaPerSecUSec": uint64(250000), "CPUQuotaPeriodUSec": uint64(50000), "AllowedCPUs": []byte{0x0d, 2}, "AllowedMemoryNodes": []byte{1}}},
		{"cpu, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(12345)), Period: ptr(uint64(50000)), Cpus: "0"}}, 239,
			map[string]any{"CPUQuotaPerSecUSec": uint64(250000)}},
		{"no quota", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(-1)), Period: ptr(uint64(50000))}}, 252,
			map[string]any{"CPUQuotaPerSecUSec": uint64(infinity), "CPUQuotaPeriodUSec": uint64(50000)}},
		{"quota, usual period", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(150000))}}, 252,
			map[string]any{"CPUQuotaPerSecUSec": uint64(1500000)}},
		{"idle", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr(int64(1))}}, 252, map[string]any{"CPUWeight": uint64(0)}},
		{"idle, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr(int64(1))}}, 251, map[string]any{}},
		{"io", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(1000))}}, 252, map[string]any{"IOWeight": uint64(10000)}},
		{"unified", specs.LinuxResources{Unified: map[string]string{
			"cpu.max": "max 20000", "cpu.weight": "7", "cpuset.cpus": "1", "cpuset.mems": "0-1", "io.weight": "default 33\n8:0 5",
			"memory.high": "1M", "memory.low": "max", "memory.max": "2g", "memory.min": "0x10", "memory.swap.max": "3", "memory.zswap.max": "9",
			"pids.max": "4\n", "memory.oom.group": "1", "misc.max": "sev 1",
		}}, 253, map[string]any{
			"CPUQuotaPerSecUSec": uint64(infinity), "CPUQuotaPeriodUSec": uint64(20000), "CPUWeight": uint64(7), "AllowedCPUs": []byte{2}, "AllowedMemoryNodes": []byte{3},
			"IOWeight": uint64(33), "MemoryHigh": uint64(mib), "MemoryLow": uint64(infinity), "MemoryMax": uint64(2048 * mib), "MemoryMin": uint64(16),
			"MemorySwapMax": uint64(3), "MemoryZSwapMax": uint64(9), "TasksMax": uint64(4),
		}},
		{"unified wins", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(5))}, Unified: map[string]string{"pids.max": "6"}}, 252,
			map[string]any{"TasksMax": uint64(6)}},
	} {
		limits, err := limits2(&c.r)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		props, err := properties2(limits, c.version)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := values(t, props); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestProperties2Refused(t *testing.T) {
	for file, text := range map[string]string{
		"memory.max": "much", "pids.max": "", "cpu.max": "max x", "cpu.weight": "-1", "cpuset.cpus": "3-1", "cpuset.mems": "70000",
		"memory.high": "20000000000000G", "memory.low": "K",
	} {
		if props, err := properties2([]limit{{file, text}}, 252); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s %q: %v %v", file, text, props, err)
		}
	}
	r := specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(5)), Swap: ptr(int64(4))}}
	if _, err := limits2(&r); err == nil {
		t.Error("swap below the limit")
	}
}

func TestQuota(t *testing.T) {
	for _, c := range []struct{ quota, period, want uint64 }{
		{100000, 100000, 1000000},
		{1000, 100000, 10000},
		{1001, 100000, 20000}, // whole percents, upwards
		{1, 1000000, 10000},
		{50000, 0, 500000},
		{infinity, 100000, infinity},
		{math.MaxInt64, 1, infinity},
	} {
		var l list
		l.quota(c.quota, c.period, 252)
		if got := values(t, l)["CPUQuotaPerSecUSec"]; got != c.want {
			t.Errorf("%d per %d: %v", c.quota, c.period, got)
		}
	}
}

func TestProperties1(t *testing.T) {
	r := specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}, Pids: &specs.LinuxPids{Limit: ptr(int64(0))},
		CPU: &specs.LinuxCPU{Shares: ptr(uint64(512)), Quota: ptr(int64(25000))}, BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(300))},
	}
	want := map[string]any{"MemoryLimit": uint64(infinity), "TasksMax": uint64(1), "CPUShares": uint64(512), "CPUQuotaPerSecUSec": uint64(250000), "BlockIOWeight": uint64(300)}
	if got := values(t, properties1(&r, specs.LinuxCPU{}, 252)); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	// An update of the period alone keeps the quota there is.
	r = specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr(uint64(50000))}}
	want = map[string]any{"CPUQuotaPerSecUSec": uint64(500000), "CPUQuotaPeriodUSec": uint64(50000)}
	if got := values(t, properties1(&r, specs.LinuxCPU{Quota: ptr(int64(25000))}, 252)); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	if got := properties1(nil, specs.LinuxCPU{}, 252); got != nil {
		t.Error(got)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]int{`"252.39-1~deb12u1"`: 252, `"v245.4-4.fc32"`: 245, `"249"`: 249, "257~rc1": 257, `""`: 0, "x": 0} {
		if got := parseVersion(text); got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestDeviceProperties(t *testing.T) {
	deny := specs.LinuxDeviceCgroup{Access: "rwm"}
	rule := func(allow bool, kind string, major, minor int64, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Major: &major, Minor: &minor, Access: access}
	}
	for _, c := range []struct {
		name   string
		rules  []specs.LinuxDeviceCgroup
		policy string
		has    []allow
		lacks  string
	}{
		{"defaults", nil, "strict", []allow{{"/dev/char/1:3", "rwm"}, {"char-*", "m"}, {"block-*", "m"}, {"char-136", "rwm"}}, "/dev/char/10:229"},
		{"fuse", []specs.LinuxDeviceCgroup{deny, rule(true, "c", 10, 229, "rw")}, "strict", []allow{{"/dev/char/10:229", "rw"}}, ""},
		{"disks", []specs.LinuxDeviceCgroup{deny, rule(true, "b", 8, -1, "r")}, "strict", []allow{{"block-8", "r"}}, ""},
		{"all", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, "auto", nil, "char-*"},
		{"all but one", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, rule(false, "c", 1, 8, "r")}, "auto", nil, "char-*"},
		{"hole", []specs.LinuxDeviceCgroup{deny, rule(true, "c", 7, -1, "rw"), rule(false, "c", 7, 1, "w")}, "auto", nil, "char-7"},
		{"a minor of all majors", []specs.LinuxDeviceCgroup{deny, rule(true, "c", -1, 5, "rw")}, "auto", nil, "char-*"},
	} {
		props, err := deviceProperties(&specs.LinuxResources{Devices: c.rules}, 252)
		if err != nil {
			t.Fatal(err)
		}
		got := values(t, props)
		list := got["DeviceAllow"].([]allow)
		if got["DevicePolicy"] != c.policy {
			t.Errorf("%s: %v", c.name, got)
		}
		for _, want := range c.has {
			found := false
			for _, a := range list {
				found = found || a == want
			}
			if !found {
				t.Errorf("%s: %v is not in %v", c.name, want, list)
			}
		}
		for _, a := range list {
			if a.Path == c.lacks {
				t.Errorf("%s: %v", c.name, a)
			}
		}
	}
}

func TestGroup(t *testing.T) {
	const text = "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  7 loop\n259 blkext\n"
	for _, c := range []struct {
		kind  string
		major int64
		want  string
	}{{"char", 136, "char-pts"}, {"block", 7, "block-loop"}, {"char", 7, ""}, {"block", 136, ""}} {
		if got := group(text, c.kind, c.major); got != c.want {
			t.Errorf("%s %d: %q", c.kind, c.major, got)
		}
	}
	if p, ok := devicePath(devices.Rule{Type: 'c', Major: 4095, Minor: 7}, 239); p != "" || !ok {
		t.Errorf("a node the host does not have: %q", p)
	}
}
