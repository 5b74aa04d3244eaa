package specconv

import (
	"strings"

	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rlimitNames is every resource of getrlimit(2) by number; MIPS and SPARC number
// some differently, berth is not built for them.
var rlimitNames = [...]string{
	"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
	"SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
}

// rlimitNumber returns -1 for an unknown name.
func rlimitNumber(name string) int {
	short, ok := strings.CutPrefix(name, "RLIMIT_")
	if !ok {
		return -1
	}
	for i, n := range rlimitNames {
		if n == short {
			return i
		}
	}
	return -1
}

// rlimits refuses unknown and duplicate types, as the spec demands.
func (c *processConverter) rlimits(list []specs.POSIXRlimit) []wire.Rlimit {
	if len(list) == 0 {
		return nil
	}
	out := make([]wire.Rlimit, 0, len(list))
	var seen uint32
	for i, r := range list {
		n := rlimitNumber(r.Type)
		switch {
		case n < 0:
			c.fault("process.rlimits[%d].type: %q is not a resource limit of getrlimit(2)", i, r.Type)
			continue
		case seen&(1<<n) != 0:
			c.fault("process.rlimits[%d]: a second limit of type %s", i, r.Type)
			continue
		case r.Soft > r.Hard:
			c.fault("process.rlimits[%d]: soft limit %d of %s is above the hard limit %d", i, r.Soft, r.Type, r.Hard)
		}
		seen |= 1 << n
		out = append(out, wire.Rlimit{Resource: n, Soft: r.Soft, Hard: r.Hard, Name: r.Type})
	}
	return out
}
