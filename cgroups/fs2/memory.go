package fs2

import (
	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setMemory(d *cgfile.Dir, r *specs.LinuxResources) error {
	m := r.Memory
	if m == nil {
		return nil
	}
	if v := limits.Value(m.Limit); limits.Value(m.CheckBeforeUpdate) && v > 0 {
		if err := limits.Fits(d, "memory.current", v); err != nil {
			return err
		}
	}
	if err := setSwap(d, m); err != nil {
		return err
	}
	if v := limits.Value(m.Limit); v != 0 {
		if err := d.Write("memory.max", limits.Text(v)); err != nil {
			return err
		}
	}
	if v := limits.Value(m.Reservation); v != 0 {
		return d.Write("memory.low", limits.Text(v))
	}
	return nil
}

func setSwap(d *cgfile.Dir, m *specs.LinuxMemory) error {
	mem, swap := limits.Value(m.Limit), limits.Value(m.Swap)
	if mem == 0 && swap > 0 {
		// The limit stays what it is, and v2 counts swap from there.
		now, err := d.ReadUint("memory.max")
		if err != nil {
			return err
		}
		if now != 1<<64-1 {
			mem = int64(min(now, 1<<63-1))
		}
	}
	v, set, err := Swap(mem, swap)
	if err != nil || !set {
		return err
	}
	err = d.Write("memory.swap.max", limits.Text(v))
	// Without swap in the kernel there is none to allow or forbid.
	if cgfile.Missing(err) && v <= 0 {
		return nil
	}
	return err
}
