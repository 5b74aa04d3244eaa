package fs1

import (
	"fmt"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func askedHugetlb(r *specs.LinuxResources) string {
	if len(r.HugepageLimits) == 0 {
		return ""
	}
	return "linux.resources.hugepageLimits"
}

// setHugetlb limits both faults and reservations: a limit on faults alone ends in
// SIGBUS where one on reservations makes mmap(2) fail. The rsvd files are there
// since v5.7.
func setHugetlb(d *cgfile.Dir, r *specs.LinuxResources) error {
	for _, l := range r.HugepageLimits {
		prefix := "hugetlb." + l.Pagesize
		err := d.WriteUint(prefix+".limit_in_bytes", l.Limit)
		if cgfile.Missing(err) {
			return fmt.Errorf("linux.resources.hugepageLimits: the host has no huge pages of size %q: %w", l.Pagesize, err)
		}
		if err != nil {
			return err
		}
		if err := d.WriteUint(prefix+".rsvd.limit_in_bytes", l.Limit); err != nil && !cgfile.Missing(err) {
			return err
		}
	}
	return nil
}
