package specconv

import (
	"strings"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// sysctls converts linux.sysctl. Only keys that belong to a namespace the
// container has for itself are accepted: all others change the host.
func (c *converter) sysctls() {
	if len(c.linux.Sysctl) == 0 {
		return
	}
	c.plan.Sysctls = make([]wire.Sysctl, 0, len(c.linux.Sysctl))
	for _, key := range sortedKeys(c.linux.Sysctl) {
		path, ok := sysctlPath(key)
		if !ok {
			c.fault("linux.sysctl[%q]: not the name of a kernel parameter", key)
			continue
		}
		c.sysctlScope(key, path)
		c.plan.Sysctls = append(c.plan.Sysctls, wire.Sysctl{Path: path, Value: c.linux.Sysctl[key]})
	}
}

// sysctlPath turns a key into a path below /proc/sys by the rule of sysctl(8): the
// first separator decides; when it is a dot, dots and slashes trade places, so that
// both net.ipv4.conf.eth0/1.forwarding and net/ipv4/conf/eth0.1/forwarding work.
func sysctlPath(key string) (path string, ok bool) {
	path = key
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		swapped := []byte(key)
		for i, b := range swapped {
			switch b {
			case '.':
				swapped[i] = '/'
			case '/':
				swapped[i] = '.'
			}
		}
		path = string(swapped)
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return "", false
		}
	}
	return path, true
}

// sysctlScope refuses a key that is not the container's own.
func (c *converter) sysctlScope(key, path string) {
	flag, file := sysctlNamespace(path)
	switch {
	case path == "kernel/hostname":
		c.fault("linux.sysctl[%q]: use the field hostname", key)
	case flag == 0:
		c.fault("linux.sysctl[%q]: is not separate for a container, it would change the host", key)
	case !c.private(flag, file):
		c.fault("linux.sysctl[%q]: needs a %s namespace of the container's own, or it would change the host", key, nsName(flag))
	}
}

// sysctlNamespace returns the namespace a parameter belongs to, 0 for none.
func sysctlNamespace(path string) (flag uintptr, file string) {
	switch path {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
		"kernel/shmmni", "kernel/shm_rmid_forced", "kernel/msg_next_id", "kernel/sem_next_id", "kernel/shm_next_id":
		return linux.CLONE_NEWIPC, "ipc"
	case "kernel/domainname", "kernel/hostname":
		return linux.CLONE_NEWUTS, "uts"
	}
	switch top, rest, _ := strings.Cut(path, "/"); {
	case top == "net":
		return linux.CLONE_NEWNET, "net"
	case top == "fs" && strings.HasPrefix(rest, "mqueue/"):
		return linux.CLONE_NEWIPC, "ipc"
	case top == "user":
		return linux.CLONE_NEWUSER, "user"
	}
	return 0, ""
}
