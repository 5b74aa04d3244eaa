package limits

import (
	"fmt"
	"strconv"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Text is a limit as control files hold it: negative means none.
func Text(v int64) string {
	if v < 0 {
		return "max"
	}
	return strconv.FormatInt(v, 10)
}

// Cpuset writes the lists that are not empty.
func Cpuset(d *cgfile.Dir, r *specs.LinuxResources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	if c.Cpus != "" {
		if err := d.Write("cpuset.cpus", c.Cpus); err != nil {
			return err
		}
	}
	if c.Mems != "" {
		return d.Write("cpuset.mems", c.Mems)
	}
	return nil
}

// Idle writes cpu.idle, and has the weight written at the right moment: an idle
// cgroup refuses one, so idle is cleared before and set after it.
func Idle(d *cgfile.Dir, idle *int64, weigh func() error) error {
	if idle != nil && *idle == 0 {
		if err := d.WriteInt("cpu.idle", 0); err != nil {
			return err
		}
	}
	if err := weigh(); err != nil {
		return err
	}
	if Value(idle) != 0 {
		return d.WriteInt("cpu.idle", *idle)
	}
	return nil
}

// Pids writes the limit on tasks: zero is one, a negative number is none.
func Pids(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.Pids == nil || r.Pids.Limit == nil {
		return nil
	}
	return d.Write("pids.max", Text(*r.Pids.Limit))
}

// Hugetlb writes to the file hugetlb.SIZE.NAME of each size, and to that of
// reservations: a limit on faults alone ends in SIGBUS where one on reservations
// makes mmap(2) fail. The rsvd files are there since v5.7.
func Hugetlb(d *cgfile.Dir, r *specs.LinuxResources, name string) error {
	for _, l := range r.HugepageLimits {
		prefix := "hugetlb." + l.Pagesize
		err := d.WriteUint(prefix+"."+name, l.Limit)
		if cgfile.Missing(err) {
			return fmt.Errorf("linux.resources.hugepageLimits: the host has no huge pages of size %q: %w", l.Pagesize, err)
		}
		if err != nil {
			return err
		}
		if err := d.WriteUint(prefix+".rsvd."+name, l.Limit); err != nil && !cgfile.Missing(err) {
			return err
		}
	}
	return nil
}

// Rdma writes a line per device.
func Rdma(d *cgfile.Dir, r *specs.LinuxResources) error {
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

// Fits refuses a limit of memory below the present usage, which the file called
// usage tells: v2 would take it and kill.
func Fits(d *cgfile.Dir, usage string, limit int64) error {
	used, err := d.ReadUint(usage)
	if err != nil {
		return err
	}
	if used > uint64(limit) {
		return fmt.Errorf("memory limit %d is below what the container uses: %d bytes", limit, used)
	}
	return nil
}
