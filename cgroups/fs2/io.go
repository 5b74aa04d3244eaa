package fs2

import (
	"fmt"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func setIO(d *cgfile.Dir, r *specs.LinuxResources) error {
	b := r.BlockIO
	if b == nil {
		return nil
	}
	if v := limits.Value(b.Weight); v != 0 {
		if err := setWeight(d, "", v); err != nil {
			return err
		}
	}
	for _, dev := range b.WeightDevice {
		if v := limits.Value(dev.Weight); v != 0 {
			if err := setWeight(d, fmt.Sprintf("%d:%d ", dev.Major, dev.Minor), v); err != nil {
				return err
			}
		}
	}
	for _, t := range []struct {
		key  string
		list []specs.LinuxThrottleDevice
	}{
		{"rbps", b.ThrottleReadBpsDevice},
		{"wbps", b.ThrottleWriteBpsDevice},
		{"riops", b.ThrottleReadIOPSDevice},
		{"wiops", b.ThrottleWriteIOPSDevice},
	} {
		for _, dev := range t.list {
			if err := d.Write("io.max", throttle(t.key, dev)); err != nil {
				return err
			}
		}
	}
	return nil
}

// throttle is a line of io.max. Rate 0, which lifts a limit in v1, is "max" here.
func throttle(key string, dev specs.LinuxThrottleDevice) string {
	if dev.Rate == 0 {
		return fmt.Sprintf("%d:%d %s=max", dev.Major, dev.Minor, key)
	}
	return fmt.Sprintf("%d:%d %s=%d", dev.Major, dev.Minor, key, dev.Rate)
}

// setWeight writes to BFQ's file, which keeps v1's range, or else to io.weight.
func setWeight(d *cgfile.Dir, dev string, weight uint16) error {
	err := d.Write("io.bfq.weight", dev+fmt.Sprint(weight))
	if !cgfile.Missing(err) {
		return err
	}
	if dev == "" {
		dev = "default "
	}
	err = d.Write("io.weight", dev+fmt.Sprint(IOWeight(weight)))
	if cgfile.Missing(err) {
		return fmt.Errorf("linux.resources.blockIO.weight cannot be applied: %w (the kernel has no I/O weights)", err)
	}
	return err
}
