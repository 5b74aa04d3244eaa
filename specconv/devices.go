package specconv

import (
	"path"
	"path/filepath"
	"syscall"

	"berth/internal/idmap"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// defaultDevices are the nodes the spec promises; /dev/console and /dev/ptmx are
// made by the init stage.
var defaultDevices = [...]wire.Device{
	{Path: "/dev/null", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 3},
	{Path: "/dev/zero", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 5},
	{Path: "/dev/full", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 7},
	{Path: "/dev/random", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 8},
	{Path: "/dev/urandom", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 9},
	{Path: "/dev/tty", Mode: syscall.S_IFCHR | 0o666, Major: 5, Minor: 0},
}

// devices fills the list of nodes: the defaults, where config.json does not
// describe them, and its own.
func (c *converter) devices() {
	r := &c.plan.Rootfs
	r.BindDevices = c.plan.UserNS || idmap.Inside()
	own := make([]wire.Device, 0, len(c.linux.Devices))
	for i := range c.linux.Devices {
		d, ok := c.device(i, &c.linux.Devices[i])
		if !ok {
			continue
		}
		if j := findDevice(own, d.Path); j >= 0 {
			if own[j] != d {
				c.fault("linux.devices[%d].path: a second, different device %q", i, d.Path)
			}
			continue
		}
		own = append(own, d)
	}
	// A host directory bound over /dev has its own nodes.
	if r.SetupDev {
		for _, d := range defaultDevices {
			if findDevice(own, d.Path) < 0 {
				r.Devices = append(r.Devices, d)
			}
		}
	}
	r.Devices = append(r.Devices, own...)
}

func findDevice(list []wire.Device, path string) int {
	for i := range list {
		if list[i].Path == path {
			return i
		}
	}
	return -1
}

// device converts one entry; ok is false when it is left out.
func (c *converter) device(i int, d *specs.LinuxDevice) (w wire.Device, ok bool) {
	if !filepath.IsAbs(d.Path) {
		c.fault("linux.devices[%d].path: %q is not absolute", i, d.Path)
		return w, false
	}
	w.Path = path.Clean(d.Path)
	if w.Path == "/dev/ptmx" {
		c.note("linux.devices[%d]: /dev/ptmx left out, it is a link to the container's own pts/ptmx", i)
		return w, false
	}
	w.Mode = 0o666
	if d.FileMode != nil {
		// The number is a mode of chmod(2), not one of Go's. Some engines pass the
		// whole st_mode; type bits are ignored here.
		w.Mode = uint32(*d.FileMode) & 0o7777
	}
	switch d.Type {
	case "c", "u":
		w.Mode |= syscall.S_IFCHR
	case "b":
		w.Mode |= syscall.S_IFBLK
	case "p":
		w.Mode |= syscall.S_IFIFO
	default:
		c.fault("linux.devices[%d].type: %q is not one of c, b, u, p", i, d.Type)
		return w, false
	}
	if d.Type != "p" {
		c.deviceNumber(i, d, &w)
	}
	if d.UID != nil {
		w.UID = *d.UID
	}
	if d.GID != nil {
		w.GID = *d.GID
	}
	if c.plan.Rootfs.BindDevices && d.Type != "p" {
		c.hostDevice(i, &w)
	}
	return w, true
}

// deviceNumber checks major and minor against the widths of dev_t (12 and 20 bits).
func (c *converter) deviceNumber(i int, d *specs.LinuxDevice, w *wire.Device) {
	if d.Major < 0 || d.Major >= 1<<12 || d.Minor < 0 || d.Minor >= 1<<20 {
		c.fault("linux.devices[%d]: %d:%d is not a device number", i, d.Major, d.Minor)
		return
	}
	w.Major, w.Minor = uint32(d.Major), uint32(d.Minor)
}

// hostDevice checks the host's node that is bound in a user namespace, where mknod(2) is
// forbidden.
func (c *converter) hostDevice(i int, w *wire.Device) {
	var st syscall.Stat_t
	if err := syscall.Stat(w.Path, &st); err != nil {
		c.fault("linux.devices[%d]: host device %q: %w", i, w.Path, err)
		return
	}
	if st.Mode&syscall.S_IFMT != w.Mode&syscall.S_IFMT || st.Rdev != unix.Mkdev(w.Major, w.Minor) {
		c.fault("linux.devices[%d]: host device %q is not %d:%d, and a user namespace allows no mknod(2)", i, w.Path, w.Major, w.Minor)
	}
}
