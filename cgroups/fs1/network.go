package fs1

import (
	"strconv"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setNetCls(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.Network == nil || limits.Value(r.Network.ClassID) == 0 {
		return nil
	}
	return d.WriteUint("net_cls.classid", uint64(*r.Network.ClassID))
}

// setNetPrio names interfaces of the caller's network namespace.
func setNetPrio(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.Network == nil {
		return nil
	}
	for _, p := range r.Network.Priorities {
		if err := d.Write("net_prio.ifpriomap", p.Name+" "+strconv.FormatUint(uint64(p.Priority), 10)); err != nil {
			return err
		}
	}
	return nil
}
