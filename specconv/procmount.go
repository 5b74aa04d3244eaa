package specconv

import (
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// procMount refuses mounts that would hide or fake parts of /proc: the init stage
// and later execs write security labels there (CVE-2019-16884, CVE-2023-27561,
// CVE-2025-52881). rootfs checks again, after symlinks have been resolved.
func (c *converter) procMount(i int, w *wire.Mount) {
	below, inside := strings.CutPrefix(w.Destination, "/proc")
	if !inside || below != "" && below[0] != '/' || w.Remount {
		return
	}
	if below == "" {
		if w.Type != "proc" && !w.Bind || w.Bind && !isProcfs(w.Source) {
			c.fault("mounts[%d]: only a file system of type proc can be mounted on /proc", i)
		}
		return
	}
	if !emulated(below[1:]) {
		c.fault("mounts[%d]: %q cannot be mounted, it is inside /proc", i, w.Destination)
	}
}

func isProcfs(path string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(path, &st) == nil && st.Type == linux.ProcSuperMagic
}

// emulated lists the files that lxcfs and the like provide per container.
func emulated(name string) bool {
	switch name {
	case "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled":
		return true
	}
	return false
}
