package systemd

import (
	"fmt"
	"strings"

	"berth/cgroups"
)

// maxName is what systemd takes for a unit's name, suffix included.
const maxName = 255

// name is where a container's unit goes.
type name struct {
	slice string // "system.slice"
	unit  string // "berth-ID.scope"
}

// parseName reads linux.cgroupsPath, slice:prefix:name. No path means a scope
// "berth-ID" in the manager's default slice, and so does an empty slice.
func parseName(cfg *cgroups.Config, user bool) (name, error) {
	parts := []string{"", "berth", cfg.ID}
	if cfg.Path != "" {
		if parts = strings.Split(cfg.Path, ":"); len(parts) != 3 {
			return name{}, fmt.Errorf("linux.cgroupsPath %q: not slice:prefix:name, which the systemd driver takes", cfg.Path)
		}
	}
	n := name{slice: parts[0]}
	if n.slice == "" {
		n.slice = "system.slice"
		if user {
			n.slice = "user.slice"
		}
	}
	if _, err := expandSlice(n.slice); err != nil {
		return name{}, fmt.Errorf("linux.cgroupsPath %q: %w", cfg.Path, err)
	}
	switch {
	case parts[2] == "":
		return name{}, fmt.Errorf("linux.cgroupsPath %q: no name", cfg.Path)
	case strings.HasSuffix(parts[2], ".slice"):
		return name{}, fmt.Errorf("linux.cgroupsPath %q: a slice cannot hold a container's processes", cfg.Path)
	case parts[1] == "":
		n.unit = escapeUnit(parts[2]) + ".scope"
	default:
		n.unit = escapeUnit(parts[1]+"-"+parts[2]) + ".scope"
	}
	if len(n.unit) > maxName {
		return name{}, fmt.Errorf("linux.cgroupsPath %q: the unit name %s is longer than %d characters", cfg.Path, n.unit, maxName)
	}
	return n, nil
}

// path is the cgroup below that of the manager.
func (n name) path() string {
	parent, _ := expandSlice(n.slice) // checked by parseName
	return parent + "/" + escapeCgroup(n.unit)
}

// expandSlice turns a slice's name into its cgroup: each dash is a level, so
// "a-b.slice" is "/a.slice/a-b.slice" and "-.slice" the root, "".
func expandSlice(slice string) (string, error) {
	stem, ok := strings.CutSuffix(slice, ".slice")
	if !ok || stem == "" || len(slice) > maxName {
		return "", fmt.Errorf("%q is not the name of a slice", slice)
	}
	if stem == "-" {
		return "", nil
	}
	var path, upTo string
	for part := range strings.SplitSeq(stem, "-") {
		// This also refuses a dash at either end, and two in a row.
		if part == "" || escapeUnit(part) != part {
			return "", fmt.Errorf("%q is not the name of a slice", slice)
		}
		upTo += part
		path += "/" + escapeCgroup(upTo+".slice")
		upTo += "-"
	}
	return path, nil
}

// escapeUnit writes what a unit's name must not hold as systemd-escape does:
// container ids may have a "+".
func escapeUnit(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; unitChar(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

func unitChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(`:-_.\`, c) >= 0
}

// escapeCgroup puts "_" before a directory name that could be taken for a control
// file, as cg_escape of systemd does.
func escapeCgroup(dir string) string {
	first, _, _ := strings.Cut(dir, ".")
	switch {
	case dir[0] == '_' || dir[0] == '.', first == "cgroup":
		return "_" + dir
	}
	switch first {
	case "cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids":
		return "_" + dir
	}
	return dir
}
