package stats

import (
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// v1Readers are the controllers that count something, each with its own directory.
var v1Readers = [...]struct {
	controller string
	read       func(*cgfile.Dir, *Stats) error
}{
	{"cpuacct", readCpuacct},
	{"cpu", readCPUv1},
	{"cpuset", readCpusetV1},
	{"memory", readMemoryV1},
	{"pids", readPids},
	{"blkio", readBlkio},
	{"hugetlb", readHugetlbV1},
	{"rdma", readRdma},
}

func (s *Stats) cpu() *CPU {
	if s.CPU == nil {
		s.CPU = new(CPU)
	}
	return s.CPU
}

// ticks is USER_HZ, the unit of cpuacct.stat: 100 on every architecture Go knows.
const ticks = 100

func readCpuacct(d *cgfile.Dir, s *Stats) error {
	u := &s.cpu().Usage
	if _, err := number(d, "cpuacct.usage", &u.Total); err != nil {
		return err
	}
	split, err := keyed(d, "cpuacct.stat")
	if err != nil {
		return err
	}
	u.User, u.Kernel = split["user"]*(1e9/ticks), split["system"]*(1e9/ticks)
	if err := percpu(d, u); err != nil {
		return err
	}
	return perMode(d, u)
}

func percpu(d *cgfile.Dir, u *CPUUsage) error {
	const file = "cpuacct.usage_percpu"
	t, ok, err := text(d, file)
	if !ok {
		return err
	}
	for w := range strings.FieldsSeq(t) {
		n, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return unexpected(d, file, t)
		}
		u.Percpu = append(u.Percpu, n)
	}
	return nil
}

// perMode reads "cpu user system" and below it a line per CPU (since v4.7).
func perMode(d *cgfile.Dir, u *CPUUsage) error {
	const file = "cpuacct.usage_all"
	t, ok, err := text(d, file)
	if !ok {
		return err
	}
	for line := range strings.Lines(t) {
		w := strings.Fields(line)
		if len(w) != 3 || w[0] == "cpu" {
			continue
		}
		user, uerr := strconv.ParseUint(w[1], 10, 64)
		kernel, kerr := strconv.ParseUint(w[2], 10, 64)
		if uerr != nil || kerr != nil {
			return unexpected(d, file, line)
		}
		u.PercpuUser, u.PercpuKernel = append(u.PercpuUser, user), append(u.PercpuKernel, kernel)
	}
	return nil
}

func readCPUv1(d *cgfile.Dir, s *Stats) error {
	m, err := keyed(d, "cpu.stat")
	if m == nil {
		return err
	}
	s.cpu().Throttling = &Throttling{
		Periods: m["nr_periods"], ThrottledPeriods: m["nr_throttled"], ThrottledTime: m["throttled_time"],
		BurstPeriods: m["nr_bursts"], BurstTime: m["burst_time"],
	}
	return nil
}

func readCpusetV1(d *cgfile.Dir, s *Stats) error {
	f := new(CPUSetFlags)
	c := &CPUSet{CPUSetFlags: f}
	if err := cpuLists(d, c, "cpuset.cpus", "cpuset.mems"); err != nil {
		return err
	}
	_, err := numbers(d,
		field{"cpuset.cpu_exclusive", &f.CPUExclusive},
		field{"cpuset.mem_hardwall", &f.MemHardwall},
		field{"cpuset.mem_exclusive", &f.MemExclusive},
		field{"cpuset.memory_migrate", &f.MemoryMigrate},
		field{"cpuset.memory_spread_page", &f.MemorySpreadPage},
		field{"cpuset.memory_spread_slab", &f.MemorySpreadSlab},
		field{"cpuset.memory_pressure", &f.MemoryPressure},
		field{"cpuset.sched_load_balance", &f.SchedLoadBalance},
	)
	if err != nil {
		return err
	}
	const level = "cpuset.sched_relax_domain_level"
	t, ok, err := text(d, level)
	if err != nil {
		return err
	}
	if ok {
		if f.SchedRelaxDomainLevel, err = strconv.ParseInt(t, 10, 64); err != nil {
			return unexpected(d, level, t)
		}
	}
	s.CPUSet = c
	return nil
}

func cpuLists(d *cgfile.Dir, c *CPUSet, cpus, mems string) error {
	for _, f := range []struct {
		file string
		to   *[]uint16
	}{{cpus, &c.CPUs}, {mems, &c.Mems}} {
		t, ok, err := text(d, f.file)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if *f.to, err = list(t); err != nil {
			return unexpected(d, f.file, t)
		}
	}
	return nil
}

func readMemoryV1(d *cgfile.Dir, s *Stats) error {
	m := new(Memory)
	for _, e := range []struct {
		prefix string
		to     **MemoryEntry
	}{{"memory.", &m.Usage}, {"memory.memsw.", &m.Swap}, {"memory.kmem.", &m.Kernel}, {"memory.kmem.tcp.", &m.KernelTCP}} {
		entry := new(MemoryEntry)
		ok, err := numbers(d,
			field{e.prefix + "usage_in_bytes", &entry.Usage},
			field{e.prefix + "limit_in_bytes", &entry.Limit},
			field{e.prefix + "max_usage_in_bytes", &entry.Max},
			field{e.prefix + "failcnt", &entry.Failcnt},
		)
		if err != nil {
			return err
		}
		if ok {
			*e.to = entry
		}
	}
	var err error
	if m.Raw, err = keyed(d, "memory.stat"); err != nil {
		return err
	}
	m.Cache = m.Raw["cache"]
	control, err := keyed(d, "memory.oom_control")
	if err != nil {
		return err
	}
	if n, ok := control["oom_kill"]; ok { // since v4.13
		m.Events = map[string]uint64{"oom_kill": n}
	}
	s.Memory = m
	return nil
}

// readPids is for both versions; v1's and v2's files are the same.
func readPids(d *cgfile.Dir, s *Stats) error {
	p := new(Pids)
	ok, err := numbers(d, field{"pids.current", &p.Current}, field{"pids.max", &p.Limit})
	if !ok {
		return err
	}
	if p.Limit == 1<<64-1 {
		p.Limit = 0
	}
	s.Pids = p
	return nil
}
