package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultCaps are the capabilities that Docker gives to a container.
func DefaultCaps() []string {
	return []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
}

// AllCaps are the capabilities of Linux 6.18 (capability.h).
func AllCaps() []string {
	return append(DefaultCaps(),
		"CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
		"CAP_DAC_READ_SEARCH", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN",
		"CAP_MAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
		"CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE",
		"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_SYSLOG", "CAP_WAKE_ALARM")
}

// capabilities are those the user wants. A user other than root gets them only as the
// bound of what files may give it; none are inheritable (CVE-2022-29162).
func capabilities(o *Options, uid uint32) (*specs.LinuxCapabilities, error) {
	add, err := capNames(o.CapAdd)
	if err != nil {
		return nil, err
	}
	drop, err := capNames(o.CapDrop)
	if err != nil {
		return nil, err
	}
	// --cap-drop all --cap-add X is X alone, as in Docker; else what is dropped is gone.
	list := append(DefaultCaps(), add...)
	if slices.ContainsFunc(o.CapDrop, func(w string) bool { return strings.EqualFold(w, "ALL") }) {
		list = add
	} else {
		list = slices.DeleteFunc(list, func(c string) bool { return slices.Contains(drop, c) })
	}
	slices.Sort(list)
	list = slices.Compact(list)
	c := &specs.LinuxCapabilities{Bounding: list}
	if uid == 0 {
		c.Effective, c.Permitted = list, list
	}
	return c, nil
}

func capNames(words []string) ([]string, error) {
	all := AllCaps()
	var names []string
	for _, w := range words {
		name := strings.ToUpper(w)
		if name == "ALL" {
			return all, nil
		}
		if !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%q is no capability", w)
		}
		names = append(names, name)
	}
	return names, nil
}
