package systemd

import (
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"berth/cgroups/fs2"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// infinity is "no limit" on the bus.
const infinity = math.MaxUint64

// limit is a control file with the value it gets.
type limit struct{ file, value string }

// limits2 lists the files of cgroup v2 that systemd has properties for, with what
// fs2 writes into them; unified comes last and wins, as it does in fs2.
func limits2(r *specs.LinuxResources) ([]limit, error) {
	if r == nil {
		return nil, nil
	}
	var list []limit
	add := func(file, value string) { list = append(list, limit{file, value}) }
	if m := r.Memory; m != nil {
		if v := limits.Value(m.Limit); v != 0 {
			add("memory.max", limits.Text(v))
		}
		if v := limits.Value(m.Reservation); v != 0 {
			add("memory.low", limits.Text(v))
		}
		if limits.Value(m.Limit) != 0 || limits.Value(m.Swap) < 0 {
			v, set, err := fs2.Swap(limits.Value(m.Limit), limits.Value(m.Swap))
			if err != nil {
				return nil, err
			}
			if set {
				add("memory.swap.max", limits.Text(v))
			}
		} else if limits.Value(m.Swap) > 0 {
			add("memory.swap.max", "") // depends on the limit there is
		}
	}
	if c := r.CPU; c != nil {
		if v := limits.Value(c.Shares); v != 0 {
			add("cpu.weight", strconv.FormatUint(fs2.CPUWeight(v), 10))
		}
		if c.Idle != nil {
			add("cpu.idle", strconv.FormatInt(*c.Idle, 10))
		}
		if limits.Value(c.Quota) != 0 || limits.Value(c.Period) != 0 {
			add("cpu.max", bandwidth(c))
		}
		if c.Cpus != "" {
			add("cpuset.cpus", c.Cpus)
		}
		if c.Mems != "" {
			add("cpuset.mems", c.Mems)
		}
	}
	if p := r.Pids; p != nil && p.Limit != nil {
		add("pids.max", limits.Text(*p.Limit))
	}
	if b := r.BlockIO; b != nil && limits.Value(b.Weight) != 0 {
		add("io.weight", strconv.FormatUint(fs2.IOWeight(*b.Weight), 10))
	}
	for _, file := range slices.Sorted(maps.Keys(r.Unified)) {
		add(file, r.Unified[file])
	}
	return list, nil
}

// bandwidth is a line of cpu.max; a quota that stays what it is is "max", right
// for a new cgroup.
func bandwidth(c *specs.LinuxCPU) string {
	quota := "max"
	if v := limits.Value(c.Quota); v > 0 {
		quota = strconv.FormatInt(v, 10)
	}
	if v := limits.Value(c.Period); v != 0 {
		quota += " " + strconv.FormatUint(v, 10)
	}
	return quota
}

// properties2 turns files of cgroup v2 into the properties that make systemd of
// this version write the same. Files it has no property for keep what is in them.
func properties2(limits []limit, version int) (list, error) {
	var props list
	for _, l := range limits {
		if err := props.file2(l.file, strings.TrimSpace(l.value), version); err != nil {
			return nil, fmt.Errorf("%s %q: %w", l.file, l.value, err)
		}
	}
	return props, nil
}

func (l *list) file2(file, text string, version int) error {
	switch file {
	case "memory.max":
		return l.amount("MemoryMax", text)
	case "memory.high":
		return l.amount("MemoryHigh", text)
	case "memory.low":
		return l.amount("MemoryLow", text)
	case "memory.min":
		return since(240, version, func() error { return l.amount("MemoryMin", text) })
	case "memory.swap.max":
		if text == "" {
			return nil
		}
		return l.amount("MemorySwapMax", text)
	case "memory.zswap.max":
		return since(253, version, func() error { return l.amount("MemoryZSwapMax", text) })
	case "pids.max":
		return l.tasks(text)
	case "cpu.weight":
		return l.amount("CPUWeight", text)
	case "cpu.idle":
		if text == "1" && version >= 252 {
			l.set("CPUWeight", uint64(0)) // CGROUP_WEIGHT_IDLE
		}
		return nil
	case "cpu.max":
		return l.cpuMax(text, version)
	case "cpuset.cpus":
		return since(244, version, func() error { return l.mask("AllowedCPUs", text) })
	case "cpuset.mems":
		return since(244, version, func() error { return l.mask("AllowedMemoryNodes", text) })
	case "io.weight":
		return l.ioWeight(text)
	}
	return nil
}

// since leaves out what an older systemd refuses to know.
func since(need, have int, f func() error) error {
	if have < need {
		return nil
	}
	return f()
}

// tasks: systemd takes 0 for an error; 1 is as good, since the first process is in
// already and no second can be.
func (l *list) tasks(text string) error {
	if text == "0" {
		text = "1"
	}
	return l.amount("TasksMax", text)
}

func (l *list) amount(name, text string) error {
	n, err := amount(text)
	if err == nil {
		l.set(name, n)
	}
	return err
}

// amount reads "max" or a number, which memparse of the kernel lets end in a unit.
func amount(text string) (uint64, error) {
	if text == "max" {
		return infinity, nil
	}
	digits, shift := text, 0
	if text != "" {
		if i := strings.IndexByte("KMGTPE", text[len(text)-1]&^0x20); i >= 0 {
			digits, shift = text[:len(text)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 0, 64)
	if err != nil || bits.Len64(n)+shift > 64 {
		return 0, fmt.Errorf("not a number or \"max\"")
	}
	return n << shift, nil
}

// cpuMax reads "QUOTA [PERIOD]".
func (l *list) cpuMax(text string, version int) error {
	quota, rest, _ := strings.Cut(text, " ")
	q, err := amount(quota)
	if err != nil {
		return err
	}
	period := uint64(0)
	if rest = strings.TrimSpace(rest); rest != "" {
		if period, err = strconv.ParseUint(rest, 10, 64); err != nil || period == 0 {
			return fmt.Errorf("%q is not a period", rest)
		}
	}
	l.quota(q, period, version)
	return nil
}

// quota sets bandwidth: microseconds per period (0: 100 ms). systemd keeps whole
// percents, so the time per second is rounded up: children must not be refused
// what the container has.
func (l *list) quota(quota, period uint64, version int) {
	if period != 0 && version >= 242 {
		l.set("CPUQuotaPeriodUSec", period)
	}
	if period == 0 {
		period = 100000
	}
	const second, percent = 1000000, 10000
	perSecond := uint64(infinity)
	if hi, lo := bits.Mul64(quota, second); quota != infinity && hi < period {
		n, _ := bits.Div64(hi, lo, period)
		if n <= infinity-percent {
			perSecond = (n + percent - 1) / percent * percent
		}
	}
	l.set("CPUQuotaPerSecUSec", perSecond)
}

// mask turns "0-3,7" into the bits systemd takes, CPU 0 the lowest of the first
// byte. Nothing means unchanged.
func (l *list) mask(name, text string) error {
	if text == "" {
		return nil
	}
	var set []byte
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || from > to {
			return fmt.Errorf("%q is not a range of numbers", part)
		}
		for i := from; i <= to; i++ {
			for int(i/8) >= len(set) {
				set = append(set, 0)
			}
			set[i/8] |= 1 << (i % 8)
		}
	}
	l.set(name, set)
	return nil
}

// ioWeight takes the default of "default N\nMAJOR:MINOR N" or a number alone.
func (l *list) ioWeight(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		n, isDefault := strings.CutPrefix(line, "default ")
		if isDefault || !strings.Contains(line, " ") {
			return l.amount("IOWeight", strings.TrimSpace(n))
		}
	}
	return nil
}

// properties1 turns resources into the properties of cgroup v1. have is the
// bandwidth that what is absent in r stays.
func properties1(r *specs.LinuxResources, have specs.LinuxCPU, version int) list {
	var props list
	if r == nil {
		return nil
	}
	if m := r.Memory; m != nil && limits.Value(m.Limit) != 0 {
		props.set("MemoryLimit", unsigned(*m.Limit))
	}
	if c := r.CPU; c != nil {
		if v := limits.Value(c.Shares); v != 0 {
			props.set("CPUShares", v)
		}
		quota, period := limits.Value(c.Quota), limits.Value(c.Period)
		if quota != 0 || period != 0 {
			if quota == 0 {
				quota = limits.Value(have.Quota)
			}
			if period == 0 {
				period = limits.Value(have.Period)
			}
			if quota <= 0 {
				quota = -1
			}
			props.quota(unsigned(quota), period, version)
		}
	}
	if b := r.BlockIO; b != nil && limits.Value(b.Weight) != 0 {
		props.set("BlockIOWeight", uint64(*b.Weight))
	}
	if p := r.Pids; p != nil && p.Limit != nil {
		n := *p.Limit
		if n == 0 {
			n = 1 // see tasks
		}
		props.set("TasksMax", unsigned(n))
	}
	return props
}

// unsigned is a limit on the bus.
func unsigned(v int64) uint64 {
	if v < 0 {
		return infinity
	}
	return uint64(v)
}
