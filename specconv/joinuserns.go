package specconv

import (
	"slices"
	"strings"

	"berth/internal/idmap"
	"berth/libcontainer/configs"
)

// joinedMappings compares mappings that stand beside the path of a user namespace
// with those it has, where these can be read: engines repeat them, and a
// difference would mean files of the wrong owner.
func (c *converter) joinedMappings(path string) {
	dir, ok := strings.CutSuffix(path, "/ns/user")
	ok = ok && strings.HasPrefix(dir, "/proc/")
	// What berth's own has given up, all below have.
	c.plan.NoSetgroups = idmap.SetgroupsDenied("/proc/self") || ok && idmap.SetgroupsDenied(dir)
	if len(c.uids) == 0 && len(c.gids) == 0 {
		return
	}
	if !ok {
		c.note("linux.uidMappings and linux.gidMappings cannot be compared with those of %s", path)
		return
	}
	c.sameMaps("linux.uidMappings", dir+"/uid_map", c.uids)
	c.sameMaps("linux.gidMappings", dir+"/gid_map", c.gids)
}

func (c *converter) sameMaps(path, file string, want []configs.IDMap) {
	have, err := idmap.Read(file)
	if err != nil {
		c.note("%s: %v", path, err)
		return
	}
	if !slices.Equal(sortedMaps(have), sortedMaps(want)) {
		c.fault("%s differs from the mapping of the user namespace to join, %s", path, file)
	}
}

func sortedMaps(maps []configs.IDMap) []configs.IDMap {
	return slices.SortedFunc(slices.Values(maps), func(a, b configs.IDMap) int {
		return int(int64(a.Container) - int64(b.Container))
	})
}
