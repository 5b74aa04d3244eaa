package cgfile

import (
	"fmt"
	"slices"
	"strings"

	"berth/internal/readfile"
)

// SubOf opens the cgroup of the v2 hierarchy that a process is in, which is d or lies
// below it. The process may belong to a hostile container: whatever it has moved
// itself to, nothing outside d is opened.
func (d *Dir) SubOf(pid int) (*Dir, error) {
	text, err := readfile.Kernel(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	at := ownUnified(string(text))
	rel, ok := below(d.Path, at)
	if !ok {
		return nil, fmt.Errorf("process %d is in cgroup %s, which does not lie below %s", pid, at, d.Path)
	}
	return d.Sub(rel)
}

// below finds what of a process's cgroup, as /proc/PID/cgroup shows it, lies below
// the cgroup found at dir; "." when they are the same. Of dir only the end is known
// from there: before it stands the mount point. And as for OwnIn, the process's may
// start above what is mounted.
func below(dir, cgroup string) (string, bool) {
	names := strings.Split(strings.Trim(dir, "/"), "/")
	parts := strings.Split(strings.Trim(cgroup, "/"), "/")
	for first := range parts {
		for end := min(len(parts), first+len(names)); end > first; end-- {
			if !slices.Equal(parts[first:end], names[len(names)-(end-first):]) {
				continue
			}
			if end == len(parts) {
				return ".", true
			}
			rel := strings.Join(parts[end:], "/")
			return rel, Local(rel) == nil
		}
	}
	return "", false
}
