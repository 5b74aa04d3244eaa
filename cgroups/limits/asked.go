package limits

import (
	"fmt"
	"math"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Core stands for files that a cgroup has without any controller.
const Core = "cgroup"

// Field is a field of linux.resources that asks for something.
type Field struct {
	name string // below linux.resources
	// V1 and V2 are the controllers that can apply it; empty: that version has nothing
	// like it.
	V1, V2 string
}

// String is the field's path in config.json.
func (f Field) String() string { return "linux.resources." + f.name }

// Asked lists the fields that are set, without devices, which have defaults.
func Asked(r *specs.LinuxResources) []Field {
	if r == nil {
		return nil
	}
	var list []Field
	add := func(asked bool, name, v1, v2 string) {
		if asked {
			list = append(list, Field{name, v1, v2})
		}
	}
	if m := r.Memory; m != nil {
		add(Value(m.Limit) != 0, "memory.limit", "memory", "memory")
		add(Value(m.Swap) != 0, "memory.swap", "memory", "memory")
		add(Value(m.Reservation) != 0, "memory.reservation", "memory", "memory")
		add(Value(m.KernelTCP) != 0, "memory.kernelTCP", "memory", "")
		add(WantsSwappiness(m), "memory.swappiness", "memory", "")
		add(Value(m.UseHierarchy), "memory.useHierarchy", "memory", Core) // which v2 always does
		add(Value(m.DisableOOMKiller), "memory.disableOOMKiller", "memory", "")
	}
	if c := r.CPU; c != nil {
		add(Value(c.Shares) != 0, "cpu.shares", "cpu", "cpu")
		add(Value(c.Quota) != 0, "cpu.quota", "cpu", "cpu")
		add(Value(c.Period) != 0, "cpu.period", "cpu", "cpu")
		add(c.Burst != nil, "cpu.burst", "cpu", "cpu")
		add(Value(c.RealtimeRuntime) != 0, "cpu.realtimeRuntime", "cpu", "")
		add(Value(c.RealtimePeriod) != 0, "cpu.realtimePeriod", "cpu", "")
		add(c.Idle != nil, "cpu.idle", "cpu", "cpu")
		add(c.Cpus != "", "cpu.cpus", "cpuset", "cpuset")
		add(c.Mems != "", "cpu.mems", "cpuset", "cpuset")
	}
	add(r.Pids != nil && r.Pids.Limit != nil, "pids.limit", "pids", "pids")
	if b := r.BlockIO; b != nil {
		add(Value(b.Weight) != 0, "blockIO.weight", "blkio", "io")
		add(Value(b.LeafWeight) != 0, "blockIO.leafWeight", "blkio", "")
		add(len(b.WeightDevice) > 0, "blockIO.weightDevice", "blkio", "io")
		for _, d := range b.WeightDevice {
			add(Value(d.LeafWeight) != 0, "blockIO.weightDevice.leafWeight", "blkio", "")
		}
		add(len(b.ThrottleReadBpsDevice) > 0, "blockIO.throttleReadBpsDevice", "blkio", "io")
		add(len(b.ThrottleWriteBpsDevice) > 0, "blockIO.throttleWriteBpsDevice", "blkio", "io")
		add(len(b.ThrottleReadIOPSDevice) > 0, "blockIO.throttleReadIOPSDevice", "blkio", "io")
		add(len(b.ThrottleWriteIOPSDevice) > 0, "blockIO.throttleWriteIOPSDevice", "blkio", "io")
	}
	add(len(r.HugepageLimits) > 0, "hugepageLimits", "hugetlb", "hugetlb")
	if n := r.Network; n != nil {
		add(Value(n.ClassID) != 0, "network.classID", "net_cls", "")
		add(len(n.Priorities) > 0, "network.priorities", "net_prio", "")
	}
	add(len(r.Rdma) > 0, "rdma", "rdma", "rdma")
	for file := range r.Unified {
		controller, _, _ := strings.Cut(file, ".")
		add(true, fmt.Sprintf("unified[%q]", file), "", controller)
	}
	return list
}

// WantsSwappiness tells whether it is set: engines write -1, which an unsigned field holds
// as 2^64-1, for "unchanged".
func WantsSwappiness(m *specs.LinuxMemory) bool {
	return m.Swappiness != nil && *m.Swappiness != math.MaxUint64
}

// Value is what p points to; the zero value stands for absent, as engines send
// updates with every field.
func Value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
