package intelrdt

import (
	"errors"
	"fmt"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// usual is where resctrl is mounted everywhere.
const usual = "/sys/fs/resctrl"

// errNotMounted reports a host without a resctrl file system: the processor has no
// RDT, or it is not mounted.
var errNotMounted = errors.New("no resctrl file system is mounted on this host")

// Find returns where resctrl is mounted.
func Find() (string, error) {
	if isResctrl(usual) {
		return usual, nil
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("resctrl"))
	if err != nil {
		return "", fmt.Errorf("look for resctrl: %w", err)
	}
	for _, m := range mounts {
		if isResctrl(m.Mountpoint) {
			return m.Mountpoint, nil
		}
	}
	return "", errNotMounted
}

func isResctrl(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.RDTGROUP_SUPER_MAGIC
}
