package specconv

import (
	"reflect"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources checks what no host would take, whatever its controllers; the
// cgroup drivers check the rest, against the controllers there are.
func (c *converter) resources() {
	r := c.linux.Resources
	if r == nil {
		return
	}
	if c.opts.CgroupDriver == "disabled" && !reflect.ValueOf(*r).IsZero() {
		c.warn("linux.resources: ignored, cgroups are disabled")
	}
	for i := range r.Devices {
		c.deviceRule(i, &r.Devices[i])
	}
	if m := r.Memory; m != nil && m.Limit != nil && m.Swap != nil && *m.Limit > 0 && *m.Swap > 0 && *m.Swap < *m.Limit {
		c.fault("linux.resources.memory.swap: %d is less than the limit %d, it counts memory and swap", *m.Swap, *m.Limit)
	}
	if m := r.Memory; m != nil && m.Kernel != nil { //nolint:staticcheck // deprecated, and so still to be told of
		c.warn("linux.resources.memory.kernel: ignored, the kernel has given up such limits (v5.16)")
	}
	if cpu := r.CPU; cpu != nil {
		c.cpuList("cpus", cpu.Cpus)
		c.cpuList("mems", cpu.Mems)
	}
	for i, h := range r.HugepageLimits {
		// The page size becomes part of a file name.
		if h.Pagesize == "" || strings.ContainsAny(h.Pagesize, "/.") {
			c.fault("linux.resources.hugepageLimits[%d].pageSize: %q is not a page size", i, h.Pagesize)
		}
	}
	for _, file := range sortedKeys(r.Unified) {
		if file == "" || file == "." || file == ".." || strings.Contains(file, "/") {
			c.fault("linux.resources.unified[%q]: not the name of a cgroup file", file)
		}
	}
}

func (c *converter) deviceRule(i int, d *specs.LinuxDeviceCgroup) {
	switch d.Type {
	case "", "a", "b", "c":
	default:
		c.fault("linux.resources.devices[%d].type: %q is not one of a, b, c", i, d.Type)
	}
	for _, r := range d.Access {
		if r != 'r' && r != 'w' && r != 'm' {
			c.fault("linux.resources.devices[%d].access: %q may hold r, w and m only", i, d.Access)
			break
		}
	}
	if d.Major != nil && *d.Major < -1 || d.Minor != nil && *d.Minor < -1 {
		c.fault("linux.resources.devices[%d]: device numbers must not be less than -1", i)
	}
}

func (c *converter) cpuList(field, list string) {
	if _, err := BitList(list); err != nil {
		c.fault("linux.resources.cpu.%s: %w", field, err)
	}
}
