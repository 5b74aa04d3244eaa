package cli

import (
	"fmt"
	"slices"
	"strconv"
)

// column is one column of the table of stats. Its cells are asked of containers
// with statistics only.
type column struct {
	title string
	text  func(*use) string
}

// nothing stands where there is no number: the container does not run, or the host
// does not count.
const nothing = "-"

func (c column) cell(u *use) string {
	if u.Stats == nil && c.title != "ID" {
		return nothing
	}
	return c.text(u)
}

// useColumns has columns for huge pages and RDMA when a container uses them.
func useColumns(uses []use) []column {
	columns := []column{
		{"ID", func(u *use) string { return u.ID }},
		{"CPU %", cpuCell},
		{"MEM / LIMIT", memoryCell},
		{"MEM %", memoryPercentCell},
		{"PIDS", pidsCell},
		{"READ / WRITTEN", ioCell},
		{"CPU PSI", func(u *use) string {
			if c := u.Stats.CPU; c != nil && c.PSI != nil {
				return percent(c.PSI.Some.Avg10)
			}
			return nothing
		}},
		{"MEM PSI", func(u *use) string {
			if m := u.Stats.Memory; m != nil && m.PSI != nil {
				return percent(m.PSI.Some.Avg10)
			}
			return nothing
		}},
		{"IO PSI", func(u *use) string {
			if b := u.Stats.Blkio; b != nil && b.PSI != nil {
				return percent(b.PSI.Some.Avg10)
			}
			return nothing
		}},
	}
	if slices.ContainsFunc(uses, func(u use) bool { return hugePages(&u) > 0 }) {
		columns = append(columns, column{"HUGE PAGES", func(u *use) string { return bytesText(hugePages(u)) }})
	}
	if slices.ContainsFunc(uses, func(u use) bool { return rdmaObjects(&u) > 0 }) {
		columns = append(columns, column{"RDMA", func(u *use) string { return strconv.FormatUint(rdmaObjects(u), 10) }})
	}
	return columns
}

func cpuCell(u *use) string {
	if u.cpu < 0 {
		return nothing
	}
	return percent(u.cpu)
}

// unlimited says that a limit is none: v1 shows the largest multiple of a page.
func unlimited(limit uint64) bool { return limit >= 1<<62 }

func memoryCell(u *use) string {
	m := u.Stats.Memory
	if m == nil || m.Usage == nil {
		return nothing
	}
	if unlimited(m.Usage.Limit) {
		return bytesText(m.Usage.Usage) + " / unlimited"
	}
	return bytesText(m.Usage.Usage) + " / " + bytesText(m.Usage.Limit)
}

func memoryPercentCell(u *use) string {
	m := u.Stats.Memory
	if m == nil || m.Usage == nil || m.Usage.Limit == 0 || unlimited(m.Usage.Limit) {
		return nothing
	}
	return percent(100 * float64(m.Usage.Usage) / float64(m.Usage.Limit))
}

func pidsCell(u *use) string {
	p := u.Stats.Pids
	if p == nil {
		return nothing
	}
	if p.Limit == 0 {
		return strconv.FormatUint(p.Current, 10)
	}
	return fmt.Sprintf("%d / %d", p.Current, p.Limit)
}

func ioCell(u *use) string {
	b := u.Stats.Blkio
	if b == nil {
		return nothing
	}
	var read, written uint64
	for _, e := range b.IOServiceBytes {
		switch e.Op {
		case "Read":
			read += e.Value
		case "Write":
			written += e.Value
		}
	}
	return bytesText(read) + " / " + bytesText(written)
}

func hugePages(u *use) (sum uint64) {
	if u.Stats == nil {
		return 0
	}
	for _, h := range u.Stats.Hugetlb {
		sum += h.Usage
	}
	return sum
}

func rdmaObjects(u *use) (sum uint64) {
	if u.Stats == nil || u.Stats.Rdma == nil {
		return 0
	}
	for _, e := range u.Stats.Rdma.Current {
		sum += uint64(e.HcaHandles) + uint64(e.HcaObjects)
	}
	return sum
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// bytesText is a size with four digits at most and the unit it is best read in.
func bytesText(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + "B"
	}
	f := float64(n)
	for _, unit := range [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		f /= 1024
		if f < 1023.5 || unit == "PiB" {
			digits := 1
			if f >= 100 {
				digits = 0
			}
			return strconv.FormatFloat(f, 'f', digits, 64) + unit
		}
	}
	return ""
}
