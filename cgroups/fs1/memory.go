package fs1

import (
	"errors"
	"fmt"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	memLimit = "memory.limit_in_bytes"
	memSwap  = "memory.memsw.limit_in_bytes"
	memUsage = "memory.usage_in_bytes"
)

func setMemory(d *cgfile.Dir, r *specs.LinuxResources) error {
	m := r.Memory
	if m == nil {
		return nil
	}
	if err := setHierarchy(d, m); err != nil {
		return err
	}
	if err := setLimits(d, m); err != nil {
		return err
	}
	if v := limits.Value(m.Reservation); v != 0 {
		if err := d.WriteInt("memory.soft_limit_in_bytes", v); err != nil {
			return err
		}
	}
	if v := limits.Value(m.KernelTCP); v != 0 {
		if err := d.WriteInt("memory.kmem.tcp.limit_in_bytes", v); err != nil {
			return err
		}
	}
	if limits.WantsSwappiness(m) {
		if *m.Swappiness > 100 {
			return fmt.Errorf("linux.resources.memory.swappiness: %d is not between 0 and 100", *m.Swappiness)
		}
		if err := d.WriteUint("memory.swappiness", *m.Swappiness); err != nil {
			return err
		}
	}
	return setOOMControl(d, m)
}

// setHierarchy: kernels since v5.11 account hierarchically always.
func setHierarchy(d *cgfile.Dir, m *specs.LinuxMemory) error {
	if m.UseHierarchy == nil {
		return nil
	}
	want := "0"
	if *m.UseHierarchy {
		want = "1"
	}
	if have, err := d.Read("memory.use_hierarchy"); err == nil && have == want {
		return nil
	}
	return d.Write("memory.use_hierarchy", want)
}

// setOOMControl writes when the file does not say so already: "0" is refused while
// the cgroup has children.
func setOOMControl(d *cgfile.Dir, m *specs.LinuxMemory) error {
	if m.DisableOOMKiller == nil {
		return nil
	}
	have, err := d.ReadKey("memory.oom_control", "oom_kill_disable")
	if err != nil {
		return err
	}
	if (have == 1) == *m.DisableOOMKiller {
		return nil
	}
	return d.WriteUint("memory.oom_control", 1-have)
}

// setLimits writes memory and memory+swap in the order that keeps memory at most
// memory+swap at every moment, which the kernel demands.
func setLimits(d *cgfile.Dir, m *specs.LinuxMemory) error {
	limit, swap := limits.Value(m.Limit), limits.Value(m.Swap)
	if limit == 0 && swap == 0 {
		return nil
	}
	if limit > 0 && swap > 0 && swap < limit {
		return fmt.Errorf("linux.resources.memory.swap: %d is memory plus swap and cannot be less than the limit %d", swap, limit)
	}
	if limits.Value(m.CheckBeforeUpdate) && limit > 0 {
		if err := limits.Fits(d, memUsage, limit); err != nil {
			return err
		}
	}
	if limit < 0 && swap == 0 && d.Exists(memSwap) {
		swap = -1 // unlimited memory within limited swap makes no sense
	}
	if limit == 0 {
		return writeSwap(d, swap)
	}
	if swap == 0 {
		return aboveSwap(d, writeLimit(d, limit))
	}
	// The kernel says EINVAL to a limit above memory+swap: then that has to grow first.
	err := writeLimit(d, limit)
	if errors.Is(err, unix.EINVAL) {
		if err := writeSwap(d, swap); err != nil {
			return err
		}
		return writeLimit(d, limit)
	}
	if err != nil {
		return err
	}
	return writeSwap(d, swap)
}

// aboveSwap explains the EINVAL of a limit that was raised alone.
func aboveSwap(d *cgfile.Dir, err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	now, rerr := d.ReadUint(memSwap)
	if rerr != nil {
		return err
	}
	return fmt.Errorf("%w: memory and swap together are limited to %d bytes", err, now)
}

func writeLimit(d *cgfile.Dir, limit int64) error {
	err := d.WriteInt(memLimit, limit)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	usage, uerr := d.ReadUint(memUsage)
	peak, perr := d.ReadUint("memory.max_usage_in_bytes")
	if uerr != nil || perr != nil {
		return err
	}
	return fmt.Errorf("%w: the container uses %d bytes (peak %d)", err, usage, peak)
}

func writeSwap(d *cgfile.Dir, swap int64) error {
	err := d.WriteInt(memSwap, swap)
	if cgfile.Missing(err) {
		if swap < 0 {
			return nil // without swap accounting nothing limits it
		}
		return fmt.Errorf("linux.resources.memory.swap cannot be applied: %w (swap accounting is off: boot with swapaccount=1)", err)
	}
	return err
}
