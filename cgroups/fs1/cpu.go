package fs1

import (
	"errors"
	"fmt"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kernel clamps cpu.shares to these without a word (MIN_SHARES, MAX_SHARES).
const (
	minShares = 2
	maxShares = 1 << 18
)

func askedCPU(r *specs.LinuxResources) string {
	c := r.CPU
	switch {
	case c == nil:
		return ""
	case value(c.Shares) != 0:
		return "linux.resources.cpu.shares"
	case value(c.Quota) != 0:
		return "linux.resources.cpu.quota"
	case value(c.Period) != 0:
		return "linux.resources.cpu.period"
	case c.Burst != nil:
		return "linux.resources.cpu.burst"
	case value(c.RealtimeRuntime) != 0:
		return "linux.resources.cpu.realtimeRuntime"
	case value(c.RealtimePeriod) != 0:
		return "linux.resources.cpu.realtimePeriod"
	case c.Idle != nil:
		return "linux.resources.cpu.idle"
	}
	return ""
}

func setCPU(d *cgfile.Dir, r *specs.LinuxResources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	if err := setShares(d, c); err != nil {
		return err
	}
	if err := setRealtime(d, c); err != nil {
		return err
	}
	return setBandwidth(d, c)
}

// setShares writes shares and idle. An idle cgroup refuses shares, so idle is
// cleared before and set after them.
func setShares(d *cgfile.Dir, c *specs.LinuxCPU) error {
	if c.Idle != nil && *c.Idle == 0 {
		if err := d.WriteInt("cpu.idle", 0); err != nil {
			return err
		}
	}
	if v := value(c.Shares); v != 0 {
		if v < minShares {
			return fmt.Errorf("linux.resources.cpu.shares: the minimum allowed cpu-shares is %d, not %d", minShares, v)
		}
		if v > maxShares {
			return fmt.Errorf("linux.resources.cpu.shares: the maximum allowed cpu-shares is %d, not %d", maxShares, v)
		}
		if err := d.WriteUint("cpu.shares", v); err != nil {
			return err
		}
	}
	if c.Idle != nil && *c.Idle != 0 {
		return d.WriteInt("cpu.idle", *c.Idle)
	}
	return nil
}

// setRealtime writes period and runtime. The parent must have bandwidth to give:
// without it the kernel says invalid argument.
func setRealtime(d *cgfile.Dir, c *specs.LinuxCPU) error {
	if v := value(c.RealtimePeriod); v != 0 {
		if err := d.WriteUint("cpu.rt_period_us", v); err != nil {
			return realtimeHint(err)
		}
	}
	if v := value(c.RealtimeRuntime); v != 0 {
		return realtimeHint(d.WriteInt("cpu.rt_runtime_us", v))
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
		if v := value(c.Period); v != 0 {
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
		if err != nil && (!errors.Is(err, unix.EINVAL) || value(c.Quota) == 0) {
			return err
		}
	}
	if v := value(c.Quota); v != 0 {
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
