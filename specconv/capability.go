package specconv

import (
	"strconv"
	"strings"

	"berth/internal/linux"
	"berth/internal/readfile"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// oldestLastCap is the highest capability every supported kernel has (v3.16).
const oldestLastCap = 37

// capabilityBit returns the number of a capability named with or without CAP_, in
// any case; ok is false for an unknown one.
func capabilityBit(name string) (bit int, ok bool) {
	short := strings.ToUpper(name)
	short = strings.TrimPrefix(short, "CAP_")
	for i, n := range linux.CapNames {
		if n == short {
			return i, true
		}
	}
	return 0, false
}

// capabilities converts the five sets. What cannot be granted is a warning, as the
// spec wants; without the section the process gets none.
func (c *processConverter) capabilities(s *specs.LinuxCapabilities) *wire.Capabilities {
	out := &wire.Capabilities{}
	if s == nil {
		return out
	}
	out.Bounding = c.capSet("bounding", s.Bounding)
	out.Effective = c.capSet("effective", s.Effective)
	out.Inheritable = c.capSet("inheritable", s.Inheritable)
	out.Permitted = c.capSet("permitted", s.Permitted)
	out.Ambient = c.capSet("ambient", s.Ambient)
	c.capWithin("effective", &out.Effective, "permitted", out.Permitted)
	c.capWithin("ambient", &out.Ambient, "permitted", out.Permitted)
	c.capWithin("ambient", &out.Ambient, "inheritable", out.Inheritable)
	return out
}

func (c *processConverter) capSet(set string, names []string) uint64 {
	var bits uint64
	for _, name := range names {
		bit, ok := capabilityBit(name)
		if !ok {
			c.warn("process.capabilities.%s: unknown capability %q ignored", set, name)
			continue
		}
		if bit > oldestLastCap && bit > lastCap() {
			c.warn("process.capabilities.%s: this kernel has no %q", set, name)
			continue
		}
		bits |= 1 << bit
	}
	return bits
}

// capWithin drops capabilities that the kernel would refuse (capset(2) fails as
// a whole) because another set lacks them.
func (c *processConverter) capWithin(set string, bits *uint64, other string, allowed uint64) {
	missing := *bits &^ allowed
	if missing == 0 {
		return
	}
	*bits &= allowed
	c.warn("process.capabilities.%s: %s ignored, not in %s", set, strings.Join(capList(missing), " "), other)
}

func capList(bits uint64) []string {
	var out []string
	for i, n := range linux.CapNames {
		if bits&(1<<i) != 0 {
			out = append(out, "CAP_"+n)
		}
	}
	return out
}

// lastCap is the highest capability of the running kernel.
func lastCap() int {
	text, err := readfile.Kernel("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return oldestLastCap
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return oldestLastCap
	}
	return n
}
