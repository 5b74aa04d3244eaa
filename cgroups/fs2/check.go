package fs2

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// need is a field of config.json and the controller it takes.
type need struct{ field, controller string }

// needs lists what the resources ask of which controller.
func needs(r *specs.LinuxResources) []need {
	var list []need
	add := func(asked bool, field, controller string) {
		if asked {
			list = append(list, need{"linux.resources." + field, controller})
		}
	}
	if m := r.Memory; m != nil {
		add(value(m.Limit) != 0, "memory.limit", "memory")
		add(value(m.Swap) != 0, "memory.swap", "memory")
		add(value(m.Reservation) != 0, "memory.reservation", "memory")
	}
	if c := r.CPU; c != nil {
		add(value(c.Shares) != 0, "cpu.shares", "cpu")
		add(value(c.Quota) != 0, "cpu.quota", "cpu")
		add(value(c.Period) != 0, "cpu.period", "cpu")
		add(c.Burst != nil, "cpu.burst", "cpu")
		add(c.Idle != nil, "cpu.idle", "cpu")
		add(c.Cpus != "", "cpu.cpus", "cpuset")
		add(c.Mems != "", "cpu.mems", "cpuset")
	}
	add(r.Pids != nil && r.Pids.Limit != nil, "pids.limit", "pids")
	if b := r.BlockIO; b != nil {
		add(value(b.Weight) != 0, "blockIO.weight", "io")
		add(len(b.WeightDevice) > 0, "blockIO.weightDevice", "io")
		add(len(b.ThrottleReadBpsDevice) > 0, "blockIO.throttleReadBpsDevice", "io")
		add(len(b.ThrottleWriteBpsDevice) > 0, "blockIO.throttleWriteBpsDevice", "io")
		add(len(b.ThrottleReadIOPSDevice) > 0, "blockIO.throttleReadIOPSDevice", "io")
		add(len(b.ThrottleWriteIOPSDevice) > 0, "blockIO.throttleWriteIOPSDevice", "io")
	}
	add(len(r.HugepageLimits) > 0, "hugepageLimits", "hugetlb")
	add(len(r.Rdma) > 0, "rdma", "rdma")
	for file := range r.Unified {
		controller, _, _ := strings.Cut(file, ".")
		if controller != "cgroup" {
			add(true, fmt.Sprintf("unified[%q]", file), controller)
		}
	}
	return list
}

// needed names a field that needs any controller; "": none.
func needed(r *specs.LinuxResources) string {
	if r == nil {
		return ""
	}
	if n := needs(r); len(n) > 0 {
		return n[0].field
	}
	return ""
}

// check refuses what none of the available controllers can apply.
func check(r *specs.LinuxResources, available []string, where string) error {
	if r == nil {
		return nil
	}
	for _, n := range needs(r) {
		if !has(available, n.controller) {
			return fmt.Errorf("cgroup controller %q is not available %s: %s cannot be applied", n.controller, where, n.field)
		}
	}
	return nil
}

// refuse names what cgroup v2 has no counterpart for.
func refuse(r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	no := func(field string) error {
		return fmt.Errorf("linux.resources.%s cannot be applied: cgroup v2 has nothing like it", field)
	}
	if m := r.Memory; m != nil {
		switch {
		case value(m.KernelTCP) != 0:
			return no("memory.kernelTCP")
		case m.Swappiness != nil && int64(*m.Swappiness) != -1:
			return no("memory.swappiness")
		case value(m.DisableOOMKiller):
			return no("memory.disableOOMKiller")
		}
	}
	if c := r.CPU; c != nil {
		switch {
		case value(c.RealtimeRuntime) != 0:
			return no("cpu.realtimeRuntime")
		case value(c.RealtimePeriod) != 0:
			return no("cpu.realtimePeriod")
		}
	}
	if b := r.BlockIO; b != nil {
		if value(b.LeafWeight) != 0 {
			return no("blockIO.leafWeight")
		}
		for _, d := range b.WeightDevice {
			if value(d.LeafWeight) != 0 {
				return no("blockIO.weightDevice.leafWeight")
			}
		}
	}
	if n := r.Network; n != nil {
		switch {
		case value(n.ClassID) != 0:
			return no("network.classID")
		case len(n.Priorities) > 0:
			return no("network.priorities")
		}
	}
	return nil
}

// value is what p points to; the zero value stands for absent, as engines send
// updates with every field.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
