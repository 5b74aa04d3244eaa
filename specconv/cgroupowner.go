package specconv

import (
	"path"
	"slices"

	"berth/internal/idmap"
	"berth/internal/linux"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cgroupOwner returns the host uid that gets the container's cgroup delegated: that
// of process.user, if the container has a cgroup namespace of its own and its cgroup
// mount is writable (runtime-spec, config-linux.md, "Cgroup ownership"); else 0.
func (c *converter) cgroupOwner() int {
	ns := c.cfg.Namespace(linux.CLONE_NEWCGROUP)
	if ns == nil || ns.Path != "" || !slices.ContainsFunc(c.doc.Mounts, writableCgroups) {
		return 0
	}
	uid := uint32(0)
	if c.doc.Process != nil {
		uid = c.doc.Process.User.UID
	}
	if !c.plan.UserNS {
		return int(uid)
	}
	host, ok := idmap.Host(c.uids, uid)
	if !ok {
		return 0 // the conversion of process.user says so, or who is joined knows
	}
	return int(host)
}

func writableCgroups(m specs.Mount) bool {
	return path.Clean("/"+m.Destination) == "/sys/fs/cgroup" && (m.Type == "cgroup" || m.Type == "cgroup2") &&
		!slices.Contains(m.Options, "ro")
}
