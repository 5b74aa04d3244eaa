package cgfile

import (
	"fmt"
	"path"
	"strings"
)

// Place cleans linux.cgroupsPath to a path below a hierarchy's mount or below the
// caller's cgroup. It refuses the root, which cannot be a container's.
func Place(cgroupsPath string) (string, error) {
	rel := strings.Trim(path.Clean(cgroupsPath), "/")
	if rel == "" || rel == "." {
		return "", fmt.Errorf("linux.cgroupsPath %q: the root cgroup cannot be a container's", cgroupsPath)
	}
	if err := Local(rel); err != nil {
		return "", fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	return rel, nil
}

// RefuseUsed refuses a cgroup that is in use: limits would hit those processes, and
// deleting the container would kill them.
func (d *Dir) RefuseUsed() error {
	pids, err := d.AllPids()
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("cgroup %s exists and is not empty, pid %d is in it", d.Path, pids[0])
	}
	return nil
}
