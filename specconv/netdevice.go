package specconv

import (
	"strings"

	"berth/internal/linux"
)

// netDevices checks linux.netDevices.
func (c *converter) netDevices() {
	devices := c.linux.NetDevices
	if len(devices) == 0 {
		return
	}
	c.cfg.NetDevices = devices
	if c.cfg.Namespace(linux.CLONE_NEWNET) == nil {
		c.fault("linux.netDevices: needs a network namespace in linux.namespaces")
	}
	if c.cfg.Rootless {
		c.fault("linux.netDevices: moving network devices needs root")
	}
	names := make(map[string]string, len(devices))
	for _, host := range sortedKeys(devices) {
		inside := devices[host].Name
		if !interfaceName(host) {
			c.fault("linux.netDevices[%q]: not the name of a network device", host)
		}
		if inside == "" {
			inside = host
		}
		if !interfaceName(inside) {
			c.fault("linux.netDevices[%q].name: %q is not the name of a network device", host, inside)
		}
		if other, ok := names[inside]; ok && !strings.Contains(inside, "%d") {
			c.fault("linux.netDevices[%q].name: %q is the name of %q too", host, inside, other)
		}
		names[inside] = host
	}
}

// interfaceName is dev_valid_name of the kernel.
func interfaceName(name string) bool {
	const longest = 15 // IFNAMSIZ-1
	return name != "" && len(name) <= longest && name != "." && name != ".." && !strings.ContainsAny(name, "/: \t\n\v\f\r")
}
