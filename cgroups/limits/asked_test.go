package limits

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Engines send every field: what is zero, or -1 for swappiness, asks for nothing.
func TestAsked(t *testing.T) {
	zero, empty, unset := int64(0), uint64(0), ^uint64(0)
	off, idle := false, int64(0)
	for _, r := range []*specs.LinuxResources{
		nil,
		{},
		{Memory: &specs.LinuxMemory{Limit: &zero, Swap: &zero, KernelTCP: &zero, Swappiness: &unset, DisableOOMKiller: &off, UseHierarchy: &off}},
		{CPU: &specs.LinuxCPU{Shares: &empty, Quota: &zero, Period: &empty, RealtimeRuntime: &zero}},
		{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}},
	} {
		if got := Asked(r); got != nil {
			t.Errorf("%+v: %v", r, got)
		}
	}
	for _, c := range []struct {
		r    specs.LinuxResources
		want Field
	}{
		{specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: &idle}}, Field{"cpu.idle", "cpu", "cpu"}},
		{specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &zero}}, Field{"pids.limit", "pids", "pids"}},
		{specs.LinuxResources{Memory: &specs.LinuxMemory{Swappiness: &empty}}, Field{"memory.swappiness", "memory", ""}},
		{specs.LinuxResources{Unified: map[string]string{"io.max": ""}}, Field{`unified["io.max"]`, "", "io"}},
		{specs.LinuxResources{Unified: map[string]string{"cgroup.freeze": "1"}}, Field{`unified["cgroup.freeze"]`, "", Core}},
	} {
		if got := Asked(&c.r); len(got) != 1 || got[0] != c.want {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}
