package fs2

import (
	"fmt"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setMemory(d *cgfile.Dir, r *specs.LinuxResources) error {
	m := r.Memory
	if m == nil {
		return nil
	}
	if v := value(m.Limit); value(m.CheckBeforeUpdate) && v > 0 {
		if err := roomFor(d, v); err != nil {
			return err
		}
	}
	if err := setSwap(d, m); err != nil {
		return err
	}
	if v := value(m.Limit); v != 0 {
		if err := d.Write("memory.max", limit(v)); err != nil {
			return err
		}
	}
	if v := value(m.Reservation); v != 0 {
		return d.Write("memory.low", limit(v))
	}
	return nil
}

func setSwap(d *cgfile.Dir, m *specs.LinuxMemory) error {
	mem, swap := value(m.Limit), value(m.Swap)
	if mem == 0 && swap > 0 {
		// The limit stays what it is, and v2 counts swap from there.
		now, err := d.ReadUint("memory.max")
		if err != nil {
			return err
		}
		mem = int64(min(now, 1<<63-1))
		if now == 1<<64-1 {
			mem = -1
		}
	}
	v, set, err := Swap(mem, swap)
	if err != nil || !set {
		return err
	}
	err = d.Write("memory.swap.max", limit(v))
	// Without swap in the kernel there is none to allow or forbid.
	if cgfile.Missing(err) && v <= 0 {
		return nil
	}
	return err
}

// roomFor refuses a limit below the present usage: v2 would take it and kill.
func roomFor(d *cgfile.Dir, want int64) error {
	usage, err := d.ReadUint("memory.current")
	if err != nil {
		return err
	}
	if usage > uint64(want) {
		return fmt.Errorf("memory limit %d is below what the container uses: %d bytes", want, usage)
	}
	return nil
}
