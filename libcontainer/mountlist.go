package libcontainer

import (
	"fmt"
	"strings"

	"berth/internal/readfile"
)

// MountInfo is a mount as a container sees it (proc_pid_mountinfo(5)).
type MountInfo struct {
	Destination string `json:"destination"`
	Type        string `json:"type"`
	Source      string `json:"source"`
	// Root is the directory of the file system that is mounted: of a bind mount the
	// part that shows.
	Root string `json:"root"`
	// Options are those of the mount, SuperOptions those of the file system.
	Options      string `json:"options"`
	SuperOptions string `json:"superOptions"`
	// Propagation holds shared:N, master:N and the like; empty: private.
	Propagation string `json:"propagation,omitempty"`
}

// maxMountinfo bounds a table that the container can make as long as it likes.
const maxMountinfo = 64 << 20

// Mounts lists the mounts of a container that runs, in the order they were made.
func (rt *Runtime) Mounts(id string) ([]MountInfo, error) {
	c, err := rt.openMountable(id)
	if err != nil {
		return nil, err
	}
	defer c.close()
	table, err := readfile.Read(fmt.Sprintf("/proc/%d/mountinfo", c.state.PID), maxMountinfo)
	if err != nil {
		return nil, err
	}
	return parseMountinfo(string(table)), nil
}

// parseMountinfo leaves out lines that it does not understand.
func parseMountinfo(table string) []MountInfo {
	var list []MountInfo
	for line := range strings.Lines(table) {
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 6 || len(after) < 2 {
			continue
		}
		m := MountInfo{
			Root: octal(before[3]), Destination: octal(before[4]), Options: before[5],
			Propagation: strings.Join(before[6:], " "),
			Type:        after[0], Source: octal(after[1]),
		}
		if len(after) > 2 {
			m.SuperOptions = octal(after[2])
		}
		list = append(list, m)
	}
	return list
}

// octal undoes the \ooo of mountinfo.
func octal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && isOctal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isOctal(s string) bool { return strings.Trim(s, "01234567") == "" }
