package host

import (
	"strings"

	"golang.org/x/sys/unix"
)

func mountFacts() []Fact {
	const group = "mounts"
	_, openTree := unix.OpenTree(-1, "", 0)
	setattr := unix.MountSetattr(-1, "", 0, &unix.MountAttr{})
	filesystems := read("/proc/filesystems")
	return []Fact{
		fact(group, "mount api", known(openTree), "open_tree(2), fsopen(2)", "needs Linux 5.2: mount(2) is used"),
		fact(group, "mount attributes", known(setattr), "mount_setattr(2)", "needs Linux 5.12: no recursive mount options"),
		fact(group, "idmapped mounts", known(setattr), "mount_setattr(2); file systems decide, too", "needs Linux 5.12"),
		filesystem(filesystems, "overlay", "run --ephemeral works", "no overlay in /proc/filesystems (modprobe overlay): no run --ephemeral"),
		fact(group, "overlay in user namespaces", hasFilesystem(filesystems, "overlay") && since(5, 11), "Linux 5.11 or newer", "needs overlay and Linux 5.11"),
		filesystem(filesystems, "mqueue", "for /dev/mqueue", "no mqueue in /proc/filesystems: /dev/mqueue cannot be mounted"),
	}
}

func filesystem(list, name, yes, no string) Fact {
	return fact("mounts", name, hasFilesystem(list, name), yes, no)
}

// hasFilesystem looks for a name in /proc/filesystems.
func hasFilesystem(list, name string) bool {
	for line := range strings.Lines(list) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == name {
			return true
		}
	}
	return false
}
