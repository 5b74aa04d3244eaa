package stats

import (
	"math"
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// readV2 reads the one directory of the unified hierarchy. What its files are
// there for tells which controllers are on.
func readV2(d *cgfile.Dir, s *Stats) error {
	for _, read := range []func(*cgfile.Dir, *Stats) error{
		readCPUv2, readCpusetV2, readMemoryV2, readPids, readIO, readHugetlbV2, readRdma,
	} {
		if err := read(d, s); err != nil {
			return err
		}
	}
	return nil
}

// readCPUv2: cpu.stat is there without the controller, and has the throttling with
// it. It counts microseconds.
func readCPUv2(d *cgfile.Dir, s *Stats) error {
	m, err := keyed(d, "cpu.stat")
	if err != nil {
		return err
	}
	// On a hybrid host the v1 controllers have counted already.
	if m != nil && s.CPU == nil {
		s.cpu().Usage = CPUUsage{Total: m["usage_usec"] * 1000, User: m["user_usec"] * 1000, Kernel: m["system_usec"] * 1000}
		if _, on := m["nr_periods"]; on {
			s.CPU.Throttling = &Throttling{
				Periods: m["nr_periods"], ThrottledPeriods: m["nr_throttled"], ThrottledTime: m["throttled_usec"] * 1000,
				BurstPeriods: m["nr_bursts"], BurstTime: m["burst_usec"] * 1000,
			}
		}
	}
	psi, err := readPSI(d, "cpu.pressure")
	if psi != nil {
		s.cpu().PSI = psi
	}
	return err
}

func readCpusetV2(d *cgfile.Dir, s *Stats) error {
	c := new(CPUSet)
	if err := cpuLists(d, c, "cpuset.cpus.effective", "cpuset.mems.effective"); err != nil {
		return err
	}
	if c.CPUs != nil || c.Mems != nil {
		s.CPUSet = c
	}
	return nil
}

func readMemoryV2(d *cgfile.Dir, s *Stats) error {
	psi, err := readPSI(d, "memory.pressure")
	if err != nil {
		return err
	}
	usage := new(MemoryEntry)
	ok, err := numbers(d, field{"memory.current", &usage.Usage}, field{"memory.max", &usage.Limit}, field{"memory.peak", &usage.Max})
	if err != nil {
		return err
	}
	if ok {
		m := &Memory{Usage: usage}
		if m.Raw, err = keyed(d, "memory.stat"); err != nil {
			return err
		}
		m.Cache = m.Raw["file"]
		if m.Events, err = keyed(d, "memory.events"); err != nil {
			return err
		}
		usage.Failcnt = m.Events["max"]
		if m.Swap, err = swapV2(d, usage); err != nil {
			return err
		}
		s.Memory = m
	}
	if psi != nil {
		if s.Memory == nil {
			s.Memory = new(Memory)
		}
		s.Memory.PSI = psi
	}
	return nil
}

// swapV2 adds memory to what v2 counts apart: readers know v1's memory+swap. The
// highest values of the two need not have been at one time, so there is no Max.
func swapV2(d *cgfile.Dir, mem *MemoryEntry) (*MemoryEntry, error) {
	e := new(MemoryEntry)
	ok, err := numbers(d, field{"memory.swap.current", &e.Usage}, field{"memory.swap.max", &e.Limit})
	if !ok {
		return nil, err
	}
	e.Usage += mem.Usage
	if e.Limit > math.MaxUint64-mem.Limit {
		e.Limit = math.MaxUint64
	} else {
		e.Limit += mem.Limit
	}
	events, err := keyed(d, "memory.swap.events")
	e.Failcnt = events["max"]
	return e, err
}

// readIO reads lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"; a
// device without I/O so far may stand alone.
func readIO(d *cgfile.Dir, s *Stats) error {
	psi, err := readPSI(d, "io.pressure")
	if err != nil {
		return err
	}
	const file = "io.stat"
	t, ok, err := text(d, file)
	if err != nil {
		return err
	}
	if !ok && psi == nil {
		return nil
	}
	if s.Blkio == nil {
		s.Blkio = new(Blkio)
	}
	s.Blkio.PSI = psi
	for line := range strings.Lines(t) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		major, minor, ok := device(w[0])
		if !ok {
			// Devices without a number show as "(unknown)".
			continue
		}
		for _, pair := range w[1:] {
			if !s.Blkio.count(major, minor, pair) {
				return unexpected(d, file, line)
			}
		}
	}
	return nil
}

// count files one pair of io.stat away; io.cost adds pairs that are no counters of
// I/O.
func (b *Blkio) count(major, minor uint64, pair string) bool {
	key, v, _ := strings.Cut(pair, "=")
	e := BlkioEntry{Major: major, Minor: minor}
	var to *[]BlkioEntry
	switch key {
	case "rbytes":
		to, e.Op = &b.IOServiceBytes, "Read"
	case "wbytes":
		to, e.Op = &b.IOServiceBytes, "Write"
	case "dbytes":
		to, e.Op = &b.IOServiceBytes, "Discard"
	case "rios":
		to, e.Op = &b.IOServiced, "Read"
	case "wios":
		to, e.Op = &b.IOServiced, "Write"
	case "dios":
		to, e.Op = &b.IOServiced, "Discard"
	default:
		return true
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return false
	}
	e.Value = n
	*to = append(*to, e)
	return true
}
