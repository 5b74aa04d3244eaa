package specconv

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"berth/internal/readfile"
	"berth/libcontainer/configs"
)

// joinedMappings compares mappings that stand beside the path of a user namespace
// with those it has, where these can be read: engines repeat them, and a
// difference would mean files of the wrong owner.
func (c *converter) joinedMappings(path string) {
	dir, ok := strings.CutSuffix(path, "/ns/user")
	ok = ok && strings.HasPrefix(dir, "/proc/")
	// What berth's own has given up, all below have.
	c.plan.NoSetgroups = setgroupsDenied("/proc/self") || ok && setgroupsDenied(dir)
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
	text, err := readfile.Read(file, 64<<10)
	if err != nil {
		c.note("%s: %v", path, err)
		return
	}
	if have := parseMaps(string(text)); !slices.Equal(sortedMaps(have), sortedMaps(want)) {
		c.fault("%s differs from the mapping of the user namespace to join, %s", path, file)
	}
}

// parseMaps reads the lines of /proc/PID/uid_map.
func parseMaps(text string) []configs.IDMap {
	var out []configs.IDMap
	for line := range strings.Lines(text) {
		var m configs.IDMap
		if _, err := fmt.Sscan(line, &m.Container, &m.Host, &m.Size); err == nil {
			out = append(out, m)
		}
	}
	return out
}

func sortedMaps(maps []configs.IDMap) []configs.IDMap {
	return slices.SortedFunc(slices.Values(maps), func(a, b configs.IDMap) int {
		return int(int64(a.Container) - int64(b.Container))
	})
}

// ownGroupOnly tells whether the map is the one an unprivileged process may write
// by itself: its own group, nothing else.
func ownGroupOnly(maps []configs.IDMap) bool {
	return len(maps) == 1 && maps[0].Size == 1 && int64(maps[0].Host) == int64(os.Getegid())
}

// inUserNS tells whether berth itself runs in a user namespace other than the
// initial one, whose map is the identity over all ids.
func inUserNS() bool {
	text, err := readfile.Read("/proc/self/uid_map", 64<<10)
	if err != nil {
		return false
	}
	maps := parseMaps(string(text))
	return len(maps) != 1 || maps[0] != configs.IDMap{Size: 1<<32 - 1}
}
