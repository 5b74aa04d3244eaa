package specconv

import (
	"math"
	"os"

	"berth/internal/idmap"
	"berth/internal/linux"
	"berth/libcontainer/configs"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mappings fills the id maps of a new user namespace.
func (c *converter) mappings() {
	uids, gids := c.linux.UIDMappings, c.linux.GIDMappings
	ns := c.cfg.Namespace(linux.CLONE_NEWUSER)
	if ns == nil {
		if len(uids) > 0 || len(gids) > 0 {
			c.fault("linux.uidMappings and linux.gidMappings need a user namespace in linux.namespaces")
		}
		c.plan.NoSetgroups = idmap.SetgroupsDenied("/proc/self")
		return
	}
	c.plan.UserNS = true
	c.uids = c.idMaps("linux.uidMappings", uids)
	c.gids = c.idMaps("linux.gidMappings", gids)
	if ns.Path != "" {
		c.joinedMappings(ns.Path)
		return
	}
	c.needRoot("linux.uidMappings", c.uids)
	c.needRoot("linux.gidMappings", c.gids)
	c.cfg.UIDMappings, c.cfg.GIDMappings = c.uids, c.gids
	// Without newgidmap(1) one may map only one's own gid, and only after giving
	// up setgroups(2) (user_namespaces(7)).
	c.plan.NoSetgroups = c.cfg.Rootless && !idmap.NeedsHelper(c.gids, os.Getegid()) || idmap.SetgroupsDenied("/proc/self")
}

// idMaps checks a list of mappings as the kernel would, and converts it.
func (c *converter) idMaps(path string, list []specs.LinuxIDMapping) []configs.IDMap {
	if len(list) == 0 {
		return nil
	}
	if len(list) > idmap.MaxMaps {
		c.fault("%s: %d entries, the kernel takes at most %d", path, len(list), idmap.MaxMaps)
		return nil
	}
	out := make([]configs.IDMap, len(list))
	for i, m := range list {
		out[i] = configs.IDMap{Container: m.ContainerID, Host: m.HostID, Size: m.Size}
		switch {
		case m.Size == 0:
			c.fault("%s[%d].size: must not be 0", path, i)
		case beyond(m.ContainerID, m.Size) || beyond(m.HostID, m.Size):
			c.fault("%s[%d]: goes beyond the largest id, %d", path, i, uint32(math.MaxUint32-1))
		}
		for j := range i {
			if overlap(m.ContainerID, m.Size, list[j].ContainerID, list[j].Size) ||
				overlap(m.HostID, m.Size, list[j].HostID, list[j].Size) {
				c.fault("%s[%d] overlaps %s[%d]", path, i, path, j)
			}
		}
	}
	return out
}

// beyond: the id 2³²-1 means "no id" and cannot be mapped.
func beyond(first, size uint32) bool {
	return uint64(first)+uint64(size) > math.MaxUint32
}

func overlap(a, aSize, b, bSize uint32) bool {
	return uint64(a) < uint64(b)+uint64(bSize) && uint64(b) < uint64(a)+uint64(aSize)
}

// needRoot demands id 0, which the init stage takes to have its capabilities.
func (c *converter) needRoot(path string, maps []configs.IDMap) {
	switch {
	case len(maps) == 0:
		c.fault("%s: missing, a new user namespace needs it", path)
	case !mapped(maps, 0):
		c.fault("%s: the container's id 0 is not mapped", path)
	}
}

// mapped tells whether id exists in the user namespace that maps describe.
func mapped(maps []configs.IDMap, id uint32) bool {
	_, ok := idmap.Host(maps, id)
	return ok
}
