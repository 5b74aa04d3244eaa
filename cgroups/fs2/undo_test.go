package fs2

import (
	"errors"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A refused file takes the others back, whichever came first.
func TestUndoUnified(t *testing.T) {
	m := Load(cgroups.Record{Paths: map[string]string{"": cgtest.Unified(t)}})
	for range 10 {
		err := m.Set(&specs.LinuxResources{Unified: map[string]string{"cgroup.max.depth": "5", "cgroup.max.descendants": "x", "cgroup.freeze": "1"}})
		if err == nil || !strings.Contains(err.Error(), "cgroup.max.descendants") || strings.Contains(err.Error(), "put back") {
			t.Fatal(err)
		}
		for file, want := range map[string]string{"cgroup.max.depth": "max", "cgroup.max.descendants": "max", "cgroup.freeze": "0"} {
			if got := read(t, m, file); got != want {
				t.Errorf("%s: %q, want %q", file, got, want)
			}
		}
	}
	late := errors.New("refused later")
	err := cgfile.Attempt(func(j *cgfile.Journal) error {
		if err := m.Change(&specs.LinuxResources{Unified: map[string]string{"cgroup.max.depth": "5"}}, j); err != nil {
			return err
		}
		if got := read(t, m, "cgroup.max.depth"); got != "5" {
			t.Errorf("cgroup.max.depth: %q", got)
		}
		return late
	})
	if !errors.Is(err, late) || err.Error() != late.Error() {
		t.Fatal(err)
	}
	if got := read(t, m, "cgroup.max.depth"); got != "max" {
		t.Errorf("put back: %q", got)
	}
}

// On a host with v2 alone: limits of several controllers before an impossible one.
func TestUndoLimits(t *testing.T) {
	cfg := cgroups.Config{Resources: &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(77))}, Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}}}
	m := Load(create(t, cfg).Record())
	files := []string{"memory.max", "memory.low", "cpu.max", "cpu.weight", "cpuset.cpus", "pids.max"}
	before := map[string]string{}
	for _, f := range files {
		before[f] = read(t, m, f)
	}
	err := m.Set(&specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: ptr(int64(-1)), Reservation: ptr(int64(1 << 20))},
		CPU:     &specs.LinuxCPU{Shares: ptr(uint64(2)), Quota: ptr(int64(10000)), Period: ptr(uint64(50000)), Cpus: "0"},
		Pids:    &specs.LinuxPids{Limit: ptr(int64(-1))},
		Unified: map[string]string{"pids.max": "x"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, f := range files {
		if got := read(t, m, f); got != before[f] {
			t.Errorf("%s: %q, want %q", f, got, before[f])
		}
	}
}
