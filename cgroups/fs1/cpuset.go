package fs1

import (
	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func askedCpuset(r *specs.LinuxResources) string {
	switch {
	case r.CPU == nil:
		return ""
	case r.CPU.Cpus != "":
		return "linux.resources.cpu.cpus"
	case r.CPU.Mems != "":
		return "linux.resources.cpu.mems"
	}
	return ""
}

func setCpuset(d *cgfile.Dir, r *specs.LinuxResources) error {
	if r.CPU == nil {
		return nil
	}
	return d.WriteCpuset(r.CPU.Cpus, r.CPU.Mems)
}
