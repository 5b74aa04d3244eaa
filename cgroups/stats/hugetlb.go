package stats

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// reserved comes before the names of files that count reservations, which a limit
// hits first; they are there since v5.7.
const reserved = "rsvd."

func readHugetlbV1(d *cgfile.Dir, s *Stats) error {
	return eachPageSize(s, func(prefix string, h *Hugetlb) (bool, error) {
		read := func(prefix string) (bool, error) {
			return numbers(d, field{prefix + "usage_in_bytes", &h.Usage}, field{prefix + "max_usage_in_bytes", &h.Max}, field{prefix + "failcnt", &h.Failcnt})
		}
		if ok, err := read(prefix + reserved); ok || err != nil {
			return ok, err
		}
		return read(prefix)
	})
}

func readHugetlbV2(d *cgfile.Dir, s *Stats) error {
	return eachPageSize(s, func(prefix string, h *Hugetlb) (bool, error) {
		ok, err := numbers(d, field{prefix + "current", &h.Usage}, field{prefix + reserved + "current", &h.Usage})
		if !ok {
			return false, err
		}
		events, err := keyed(d, prefix+"events")
		h.Failcnt = events["max"]
		return true, err
	})
}

// eachPageSize calls read with "hugetlb.2MB." for every size the host has.
func eachPageSize(s *Stats, read func(prefix string, h *Hugetlb) (bool, error)) error {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		size, ok := pageSize(e.Name())
		if !ok {
			continue
		}
		var h Hugetlb
		there, err := read("hugetlb."+size+".", &h)
		if err != nil {
			return err
		}
		if there {
			if s.Hugetlb == nil {
				s.Hugetlb = make(map[string]Hugetlb, len(entries))
			}
			s.Hugetlb[size] = h
		}
	}
	return nil
}

// pageSize turns "hugepages-2048kB" into the "2MB" of control files (mem_fmt,
// mm/hugetlb_cgroup.c).
func pageSize(dir string) (string, bool) {
	kb, ok := strings.CutPrefix(dir, "hugepages-")
	if !ok {
		return "", false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(kb, "kB"), 10, 64)
	if err != nil {
		return "", false
	}
	switch {
	case n >= 1<<20:
		return strconv.FormatUint(n>>20, 10) + "GB", true
	case n >= 1<<10:
		return strconv.FormatUint(n>>10, 10) + "MB", true
	}
	return strconv.FormatUint(n, 10) + "KB", true
}
