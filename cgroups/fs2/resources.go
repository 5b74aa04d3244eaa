package fs2

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func noCgroup(field string) error {
	return fmt.Errorf("%s cannot be applied: %w", field, cgroups.ErrNoCgroup)
}

func setCPU(d *cgfile.Dir, r *specs.LinuxResources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	err := limits.Idle(d, c.Idle, func() error {
		if v := limits.Value(c.Shares); v != 0 {
			return d.WriteUint("cpu.weight", CPUWeight(v))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return setBandwidth(d, c)
}

// setBandwidth writes cpu.max and cpu.max.burst. A burst must not be above the
// quota at any moment, so one that is refused is tried again behind it.
func setBandwidth(d *cgfile.Dir, c *specs.LinuxCPU) error {
	var burst error
	if c.Burst != nil {
		burst = d.WriteUint("cpu.max.burst", *c.Burst)
		if burst != nil && (!errors.Is(burst, unix.EINVAL) || limits.Value(c.Quota) == 0) {
			return burst
		}
	}
	quota, period := limits.Value(c.Quota), limits.Value(c.Period)
	if quota == 0 && period == 0 {
		return nil
	}
	text := limits.Text(quota)
	if quota == 0 {
		// Only the period changes: the quota is the first of the two words.
		now, err := d.Read("cpu.max")
		if err != nil {
			return err
		}
		text, _, _ = strings.Cut(now, " ")
	}
	if period != 0 {
		text += " " + strconv.FormatUint(period, 10)
	}
	if err := d.Write("cpu.max", text); err != nil {
		return err
	}
	if burst != nil {
		return d.WriteUint("cpu.max.burst", *c.Burst)
	}
	return nil
}

func setHugetlb(d *cgfile.Dir, r *specs.LinuxResources) error { return limits.Hugetlb(d, r, "max") }

// setUnified writes each file as it stands in config.json, last of all, so that it
// wins over converted fields. Files with several keys (io.max) take one per write.
func setUnified(d *cgfile.Dir, r *specs.LinuxResources) error {
	for file, data := range r.Unified {
		err := d.WriteLines(file, strings.Split(strings.TrimRight(data, "\n"), "\n"))
		if cgfile.Missing(err) {
			return fmt.Errorf("linux.resources.unified: the kernel has no file %s: %w", path.Join(d.Path, file), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
