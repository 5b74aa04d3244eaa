package fs1

import (
	"strconv"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func askedRdma(r *specs.LinuxResources) string {
	if len(r.Rdma) == 0 {
		return ""
	}
	return "linux.resources.rdma"
}

func setRdma(d *cgfile.Dir, r *specs.LinuxResources) error {
	for name, limit := range r.Rdma {
		line := name
		if limit.HcaHandles != nil {
			line += " hca_handle=" + strconv.FormatUint(uint64(*limit.HcaHandles), 10)
		}
		if limit.HcaObjects != nil {
			line += " hca_object=" + strconv.FormatUint(uint64(*limit.HcaObjects), 10)
		}
		if err := d.Write("rdma.max", line); err != nil {
			return err
		}
	}
	return nil
}
