package specconv

import (
	"strings"

	"berth/libcontainer/intelrdt"
)

// intelRdt checks linux.intelRdt, which needs a mounted resctrl file system.
func (c *converter) intelRdt() {
	r := c.linux.IntelRdt
	if r == nil {
		return
	}
	c.cfg.IntelRdt = r
	if _, err := intelrdt.Find(); err != nil {
		c.lack("linux.intelRdt: %w", err)
	}
	if c.cfg.Rootless {
		c.fault("linux.intelRdt: needs root")
	}
	if id := r.ClosID; id != "/" && (id == "." || id == ".." || strings.Contains(id, "/")) {
		c.fault("linux.intelRdt.closID: %q is not a directory name", id)
	}
	if strings.Contains(r.L3CacheSchema, "\n") {
		c.fault("linux.intelRdt.l3CacheSchema: must be one line")
	}
	if r.MemBwSchema != "" && (!strings.HasPrefix(r.MemBwSchema, "MB:") || strings.Contains(r.MemBwSchema, "\n")) {
		c.fault("linux.intelRdt.memBwSchema: expected one line that starts with MB:")
	}
	for i, line := range r.Schemata {
		if strings.Contains(line, "\n") {
			c.fault("linux.intelRdt.schemata[%d]: must be one line", i)
		}
	}
}
