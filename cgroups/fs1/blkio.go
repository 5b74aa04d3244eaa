package fs1

import (
	"fmt"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setBlkio(d *cgfile.Dir, r *specs.LinuxResources) error {
	b := r.BlockIO
	if b == nil {
		return nil
	}
	if err := setWeights(d, b); err != nil {
		return err
	}
	for _, t := range []struct {
		file string
		list []specs.LinuxThrottleDevice
	}{
		{"blkio.throttle.read_bps_device", b.ThrottleReadBpsDevice},
		{"blkio.throttle.write_bps_device", b.ThrottleWriteBpsDevice},
		{"blkio.throttle.read_iops_device", b.ThrottleReadIOPSDevice},
		{"blkio.throttle.write_iops_device", b.ThrottleWriteIOPSDevice},
	} {
		for _, dev := range t.list {
			if err := d.Write(t.file, fmt.Sprintf("%d:%d %d", dev.Major, dev.Minor, dev.Rate)); err != nil {
				return err
			}
		}
	}
	return nil
}

func setWeights(d *cgfile.Dir, b *specs.LinuxBlockIO) error {
	if v := limits.Value(b.Weight); v != 0 {
		if err := weight(d, "weight", "blkio.weight", "blkio.bfq.weight", fmt.Sprint(v)); err != nil {
			return err
		}
	}
	if v := limits.Value(b.LeafWeight); v != 0 {
		if err := weight(d, "leafWeight", "blkio.leaf_weight", "", fmt.Sprint(v)); err != nil {
			return err
		}
	}
	for _, dev := range b.WeightDevice {
		at := fmt.Sprintf("%d:%d ", dev.Major, dev.Minor)
		if v := limits.Value(dev.Weight); v != 0 {
			if err := weight(d, "weightDevice", "blkio.weight_device", "blkio.bfq.weight_device", at+fmt.Sprint(v)); err != nil {
				return err
			}
		}
		if v := limits.Value(dev.LeafWeight); v != 0 {
			if err := weight(d, "weightDevice", "blkio.leaf_weight_device", "", at+fmt.Sprint(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// weight writes to the file of the CFQ scheduler (gone since v5.0), or else to that
// of BFQ; kernels with neither cannot weigh.
func weight(d *cgfile.Dir, field, file, bfq, data string) error {
	err := d.Write(file, data)
	if cgfile.Missing(err) && bfq != "" {
		err = d.Write(bfq, data)
	}
	if cgfile.Missing(err) {
		return fmt.Errorf("linux.resources.blockIO.%s cannot be applied: %w (the kernel has no I/O weights in cgroup v1)", field, err)
	}
	return err
}
