package fs1

import (
	"errors"
	"strings"
	"testing"

	"berth/cgroups/cgfile"
	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// inUse returns a Manager as a verb has it for a container that exists.
func inUse(t *testing.T, r *specs.LinuxResources) *Manager {
	t.Helper()
	cfg := config()
	cfg.Resources = r
	return Load(create(t, cfg).Record())
}

// watched are the files that the tests change.
var watched = [][2]string{
	{"memory", "memory.limit_in_bytes"}, {"memory", "memory.memsw.limit_in_bytes"}, {"memory", "memory.soft_limit_in_bytes"},
	{"memory", "memory.swappiness"}, {"memory", "memory.oom_control"},
	{"cpu", "cpu.shares"}, {"cpu", "cpu.cfs_quota_us"}, {"cpu", "cpu.cfs_period_us"}, {"cpu", "cpu.idle"},
	{"cpuset", "cpuset.cpus"}, {"cpuset", "cpuset.mems"}, {"pids", "pids.max"}, {"devices", "devices.list"},
}

func snapshot(t *testing.T, m *Manager) map[string]string {
	t.Helper()
	s := map[string]string{}
	for _, f := range watched {
		if g := m.find(f[0]); g != nil {
			d, err := g.open()
			if err != nil {
				t.Fatal(err)
			}
			if v, err := d.Read(f[1]); err == nil {
				s[f[1]] = v
			}
		}
	}
	return s
}

// same reports differences; the order of devices.list means nothing.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for file, v := range want {
		if file == "devices.list" {
			a, _, err := devices.ParseList(got[file])
			b, _, berr := devices.ParseList(v)
			if err != nil || berr != nil || a.Allow != b.Allow || len(devices.Change(a, b)) > 0 {
				t.Errorf("%s: %q, want %q", file, got[file], v)
			}
			continue
		}
		if got[file] != v {
			t.Errorf("%s: %q, want %q", file, got[file], v)
		}
	}
}

// Everything is written before an impossible list of CPUs, and everything is put back.
func TestRollback(t *testing.T) {
	m := inUse(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(128 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(512))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(77))},
	})
	before := snapshot(t, m)
	for name, r := range map[string]*specs.LinuxResources{
		"larger": {
			Memory: &specs.LinuxMemory{Limit: ptr(int64(256 << 20)), Swap: ptr(int64(512 << 20)), Reservation: ptr(int64(32 << 20)), Swappiness: ptr(uint64(7)), DisableOOMKiller: ptr(true)},
			CPU:    &specs.LinuxCPU{Shares: ptr(uint64(2048)), Quota: ptr(int64(20000)), Period: ptr(uint64(50000)), Idle: ptr(int64(1)), Cpus: "8191"},
		},
		"smaller": {
			Memory: &specs.LinuxMemory{Limit: ptr(int64(32 << 20)), Swap: ptr(int64(48 << 20))},
			CPU:    &specs.LinuxCPU{Shares: ptr(uint64(2)), Quota: ptr(int64(5000)), Cpus: "8191"},
		},
		"unlimited": {
			Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))},
			CPU:    &specs.LinuxCPU{Mems: "1023"},
		},
	} {
		err := m.Set(r)
		if err == nil || !strings.Contains(err.Error(), "cpuset.") || strings.Contains(err.Error(), "put back") {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, snapshot(t, m), before)
	}
}

func TestUndoOfDevices(t *testing.T) {
	m := inUse(t, &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
		{Access: "rwm"}, {Allow: true, Type: "c", Major: ptr(int64(7)), Minor: ptr(int64(7)), Access: "rw"},
	}})
	before := snapshot(t, m)
	for _, rules := range [][]specs.LinuxDeviceCgroup{
		{{Access: "rwm"}, {Allow: true, Type: "c", Major: ptr(int64(9)), Access: "r"}},
		{{Allow: true, Access: "rwm"}},
	} {
		late := errors.New("refused later")
		err := cgfile.Attempt(func(j *cgfile.Journal) error {
			if err := m.Change(&specs.LinuxResources{Devices: rules}, j); err != nil {
				return err
			}
			if now := snapshot(t, m)["devices.list"]; now == before["devices.list"] {
				t.Errorf("nothing changed: %s", now)
			}
			return late
		})
		if errors.Is(err, unix.EPERM) {
			t.Skip(err)
		}
		if !errors.Is(err, late) || err.Error() != late.Error() {
			t.Fatal(err)
		}
		same(t, snapshot(t, m), before)
	}
}

// Memory cannot grow beyond memory and swap: the error says how large that is.
func TestRaiseMemoryAlone(t *testing.T) {
	m := inUse(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(32 << 20)), Swap: ptr(int64(64 << 20))}})
	err := m.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(128 << 20))}})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "memory and swap together are limited to 67108864 bytes") {
		t.Error(err)
	}
}
