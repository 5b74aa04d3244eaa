package fs1

import (
	"errors"
	"fmt"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kernel clamps cpu.shares to these without a word (MIN_SHARES, MAX_SHARES).
const (
	minShares = 2
	maxShares = 1 << 18
)

func setCPU(d *cgfile.Dir, r *specs.LinuxResources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	if err := limits.Idle(d, c.Idle, func() error { return setShares(d, c) }); err != nil {
		return err
	}
	if err := setRealtime(d, c); err != nil {
		return err
	}
	return setBandwidth(d, c)
}

func setShares(d *cgfile.Dir, c *specs.LinuxCPU) error {
	v := limits.Value(c.Shares)
	switch {
	case v == 0:
		return nil
	case v < minShares:
		return fmt.Errorf("linux.resources.cpu.shares: the minimum allowed cpu-shares is %d, not %d", minShares, v)
	case v > maxShares:
		return fmt.Errorf("linux.resources.cpu.shares: the maximum allowed cpu-shares is %d, not %d", maxShares, v)
	}
	return d.WriteUint("cpu.shares", v)
}

// setRealtime writes period and runtime. The parent must have bandwidth to give:
// without it the kernel says invalid argument. So it does to a period below the runtime
// there is, which is tried again after a new one.
func setRealtime(d *cgfile.Dir, c *specs.LinuxCPU) error {
	period := func() error {
		if v := limits.Value(c.RealtimePeriod); v != 0 {
			return d.WriteUint("cpu.rt_period_us", v)
		}
		return nil
	}
	runtime := limits.Value(c.RealtimeRuntime)
	perr := period()
	if perr != nil && (!errors.Is(perr, unix.EINVAL) || runtime == 0) {
		return realtimeHint(perr)
	}
	if runtime != 0 {
		if err := d.WriteInt("cpu.rt_runtime_us", runtime); err != nil {
			return realtimeHint(err)
		}
	}
	if perr != nil {
		return realtimeHint(period())
	}
	return nil
}

func realtimeHint(err error) error {
	switch {
	case cgfile.Missing(err):
		return fmt.Errorf("linux.resources.cpu.realtime* cannot be applied: %w (the kernel lacks CONFIG_RT_GROUP_SCHED)", err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: the parent cgroup has less real-time bandwidth", err)
	}
	return err
}

// setBandwidth writes period, quota and burst. Any order may be refused for a
// moment (quota/period above the parent's ratio, burst above quota), so what fails
// first is tried again after the rest.
func setBandwidth(d *cgfile.Dir, c *specs.LinuxCPU) error {
	period := func() error {
		if v := limits.Value(c.Period); v != 0 {
			return d.WriteUint("cpu.cfs_period_us", v)
		}
		return nil
	}
	burst := func() error {
		if c.Burst != nil {
			return d.WriteUint("cpu.cfs_burst_us", *c.Burst)
		}
		return nil
	}
	perr, berr := period(), burst()
	for _, err := range []error{perr, berr} {
		if err != nil && (!errors.Is(err, unix.EINVAL) || limits.Value(c.Quota) == 0) {
			return err
		}
	}
	if v := limits.Value(c.Quota); v != 0 {
		if err := d.WriteInt("cpu.cfs_quota_us", v); err != nil {
			return err
		}
	}
	if perr != nil {
		if err := period(); err != nil {
			return err
		}
	}
	if berr != nil {
		return burst()
	}
	return nil
}
