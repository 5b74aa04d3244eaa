package specconv

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/configs"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// nsKind is one namespace type, in the order features prints them.
type nsKind struct {
	name specs.LinuxNamespaceType
	flag uintptr
}

var nsKinds = [...]nsKind{
	{specs.CgroupNamespace, linux.CLONE_NEWCGROUP},
	{specs.IPCNamespace, linux.CLONE_NEWIPC},
	{specs.MountNamespace, linux.CLONE_NEWNS},
	{specs.NetworkNamespace, linux.CLONE_NEWNET},
	{specs.PIDNamespace, linux.CLONE_NEWPID},
	{specs.TimeNamespace, linux.CLONE_NEWTIME},
	{specs.UserNamespace, linux.CLONE_NEWUSER},
	{specs.UTSNamespace, linux.CLONE_NEWUTS},
}

// nsFlag returns CLONE_NEW* of a type, 0 when there is no such type.
func nsFlag(name specs.LinuxNamespaceType) uintptr {
	for i := range nsKinds {
		if nsKinds[i].name == name {
			return nsKinds[i].flag
		}
	}
	return 0
}

// nsName is the opposite of nsFlag.
func nsName(flag uintptr) string {
	for i := range nsKinds {
		if nsKinds[i].flag == flag {
			return string(nsKinds[i].name)
		}
	}
	return "unknown"
}

// namespaces fills Config.Namespaces; it goes first, most rules depend on it.
func (c *converter) namespaces() {
	c.cfg.Namespaces = make([]configs.Namespace, 0, len(c.linux.Namespaces))
	for i, ns := range c.linux.Namespaces {
		flag := nsFlag(ns.Type)
		switch {
		case flag == 0:
			c.fault("linux.namespaces[%d].type: %q is not one of cgroup, ipc, mount, network, pid, time, user, uts", i, ns.Type)
			continue
		case c.cfg.Namespace(flag) != nil:
			c.fault("linux.namespaces[%d]: a second namespace of type %s", i, ns.Type)
			continue
		}
		if ns.Path != "" {
			c.nsPath(i, flag, ns.Path)
		}
		c.cfg.Namespaces = append(c.cfg.Namespaces, configs.Namespace{Type: flag, Path: ns.Path})
	}
	c.plan.NewCgroupNS = c.cfg.NewNamespace(linux.CLONE_NEWCGROUP)
	c.plan.NewNetNS = c.cfg.NewNamespace(linux.CLONE_NEWNET)
	c.plan.MountNS = c.cfg.Namespace(linux.CLONE_NEWNS) != nil
	if c.cfg.Rootless && c.cfg.Namespace(linux.CLONE_NEWUSER) == nil {
		c.lack("linux.namespaces: without root a container needs a user namespace (see berth spec --rootless)")
	}
}

// nsGetNSType is NS_GET_NSTYPE of ioctl_ns(2), since v4.11.
const nsGetNSType = 0xb703

// nsPath refuses a path that is no namespace of the type; setns(2) checks again.
func (c *converter) nsPath(i int, flag uintptr, path string) {
	if !filepath.IsAbs(path) {
		c.fault("linux.namespaces[%d].path: %q is not absolute", i, path)
		return
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		c.fault("linux.namespaces[%d].path %q: %w", i, path, err)
		return
	}
	// Only now is it known that opening cannot block or disturb a device.
	if st.Type != linux.NsfsMagic {
		c.fault("linux.namespaces[%d].path %q: not a namespace", i, path)
		return
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		c.fault("linux.namespaces[%d].path %q: %w", i, path, err)
		return
	}
	defer syscall.Close(fd)
	kind, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), nsGetNSType, 0)
	if errno == 0 && kind != flag {
		c.fault("linux.namespaces[%d].path %q: a namespace of type %s, not %s", i, path, nsName(kind), nsName(flag))
	}
}

// private tells whether the container has a namespace of the kind that is not
// berth's own; file is its name below /proc/self/ns.
func (c *converter) private(flag uintptr, file string) bool {
	ns := c.cfg.Namespace(flag)
	return ns != nil && (ns.Path == "" || !sameInode(ns.Path, "/proc/self/ns/"+file))
}

func sameInode(a, b string) bool {
	var x, y syscall.Stat_t
	return syscall.Stat(a, &x) == nil && syscall.Stat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// timeOffsets renders the text for /proc/PID/timens_offsets (time_namespaces(7)).
func (c *converter) timeOffsets() {
	if len(c.linux.TimeOffsets) == 0 {
		return
	}
	ns := c.cfg.Namespace(linux.CLONE_NEWTIME)
	if ns == nil || ns.Path != "" {
		c.fault("linux.timeOffsets: needs a new time namespace in linux.namespaces")
		return
	}
	var b strings.Builder
	for _, clock := range sortedKeys(c.linux.TimeOffsets) {
		o := c.linux.TimeOffsets[clock]
		switch {
		case clock != "monotonic" && clock != "boottime":
			c.fault("linux.timeOffsets: %q is not a clock, expected monotonic or boottime", clock)
		case o.Nanosecs >= 1e9:
			c.fault("linux.timeOffsets[%q].nanosecs: must be less than 1000000000", clock)
		}
		b.WriteString(clock + " " + strconv.FormatInt(o.Secs, 10) + " " + strconv.FormatUint(uint64(o.Nanosecs), 10) + "\n")
	}
	c.cfg.TimeOffsets = b.String()
}
