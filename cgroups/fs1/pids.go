package fs1

import (
	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func askedPids(r *specs.LinuxResources) string {
	if r.Pids == nil || r.Pids.Limit == nil {
		return ""
	}
	return "linux.resources.pids.limit"
}

// setPids: zero is a limit, a negative number is none.
func setPids(d *cgfile.Dir, r *specs.LinuxResources) error {
	if askedPids(r) == "" {
		return nil
	}
	if *r.Pids.Limit < 0 {
		return d.Write("pids.max", "max")
	}
	return d.WriteInt("pids.max", *r.Pids.Limit)
}
