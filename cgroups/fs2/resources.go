package fs2

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func noCgroup(field string) error {
	return fmt.Errorf("%s cannot be applied: %w", field, cgroups.ErrNoCgroup)
}

// limit is a number as v2 writes it: negative means none.
func limit(v int64) string {
	if v < 0 {
		return "max"
	}
	return strconv.FormatInt(v, 10)
}

func setCPU(d *cgfile.Dir, r *specs.LinuxResources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	// An idle cgroup refuses a weight, so idle is cleared before and set after it.
	if c.Idle != nil && *c.Idle == 0 {
		if err := d.WriteInt("cpu.idle", 0); err != nil {
			return err
		}
	}
	if v := value(c.Shares); v != 0 {
		if err := d.WriteUint("cpu.weight", CPUWeight(v)); err != nil {
			return err
		}
	}
	if c.Idle != nil && *c.Idle != 0 {
		if err := d.WriteInt("cpu.idle", *c.Idle); err != nil {
			return err
		}
	}
	return setBandwidth(d, c)
}

// setBandwidth writes cpu.max and cpu.max.burst. A burst must not be above the
// quota at any moment, so one that is refused is tried again behind it.
func setBandwidth(d *cgfile.Dir, c *specs.LinuxCPU) error {
	var burst error
	if c.Burst != nil {
		burst = d.WriteUint("cpu.max.burst", *c.Burst)
		if burst != nil && (!errors.Is(burst, unix.EINVAL) || value(c.Quota) == 0) {
			return burst
		}
	}
	quota, period := value(c.Quota), value(c.Period)
	if quota == 0 && period == 0 {
		return nil
	}
	text := limit(quota)
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

func setCpuset(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.CPU == nil {
		return nil
	}
	return d.WriteCpuset(r.CPU.Cpus, r.CPU.Mems)
}

// setPids: zero is a limit, a negative number is none.
func setPids(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.Pids == nil || r.Pids.Limit == nil {
		return nil
	}
	return d.Write("pids.max", limit(*r.Pids.Limit))
}

// setHugetlb limits both faults and reservations, see fs1.
func setHugetlb(d *cgfile.Dir, r *specs.LinuxResources) error {
	for _, l := range r.HugepageLimits {
		prefix := "hugetlb." + l.Pagesize
		err := d.WriteUint(prefix+".max", l.Limit)
		if cgfile.Missing(err) {
			return fmt.Errorf("linux.resources.hugepageLimits: the host has no huge pages of size %q: %w", l.Pagesize, err)
		}
		if err != nil {
			return err
		}
		if err := d.WriteUint(prefix+".rsvd.max", l.Limit); err != nil && !cgfile.Missing(err) {
			return err
		}
	}
	return nil
}

func setRdma(d *cgfile.Dir, r *specs.LinuxResources) error {
	for name, l := range r.Rdma {
		line := name
		if l.HcaHandles != nil {
			line += " hca_handle=" + strconv.FormatUint(uint64(*l.HcaHandles), 10)
		}
		if l.HcaObjects != nil {
			line += " hca_object=" + strconv.FormatUint(uint64(*l.HcaObjects), 10)
		}
		if err := d.Write("rdma.max", line); err != nil {
			return err
		}
	}
	return nil
}

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
