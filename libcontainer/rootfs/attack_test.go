package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/wire"
)

// T1: the rootfs's /dev is a link to a directory of the host.
func TestDevSymlink(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		for _, text := range []string{base + "/victim", "../victim", "../../../../../.." + base + "/victim"} {
			w.link(text, "rootfs/dev")
			for _, mounts := range [][]wire.Mount{nil, {procMount(), devMount()}} {
				root, err := w.prepare(&wire.Rootfs{
					Mounts: mounts, Devices: devices()[:3], BindDevices: w.userNS(), SetupDev: true, MaskedPaths: []string{"/etc"},
				})
				w.untouched()
				if err == nil {
					root.Close()
				}
			}
			w.must(os.Remove(base + "/rootfs/dev"))
		}
	})
}

// T3: the rootfs's /dev/null is a file of the host.
func TestDevNull(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.write("rootfs/dev/null", "")
		w.write("rootfs/etc/secret", "secret")
		w.must(syscall.Mount(base+"/victim/file", base+"/rootfs/dev/null", "", syscall.MS_BIND, ""))
		w.enter(&wire.Rootfs{
			Mounts: []wire.Mount{procMount()}, Devices: devices()[:1], BindDevices: w.userNS(), SetupDev: true,
			MaskedPaths: []string{"/etc/secret", "/proc/keys"},
		})
		w.masked("/etc/secret", "/proc/keys")
		w.must(os.WriteFile("/dev/null", []byte("overwrite"), 0))
		w.must(syscall.Unmount("/dev/null", syscall.MNT_DETACH))
		if data, err := os.ReadFile("/dev/null"); err != nil || string(data) != "precious" {
			w.Errorf("the victim's file: %q, %v", data, err)
		}
	})
}

// The config itself puts a file of the host on /dev/null: masks do not use it.
func TestDevNullMounted(t *testing.T) {
	inside(t, []string{modern, userns}, func(w *world) {
		w.write("rootfs/etc/secret", "secret")
		w.enter(&wire.Rootfs{
			Mounts: []wire.Mount{
				devMount(),
				{Destination: "/dev/null", Bind: true, Source: base + "/victim/file"},
				{Destination: "/dev/random", Bind: true, Source: "/dev/urandom"},
			},
			Devices: devices()[:4], BindDevices: w.userNS(), SetupDev: true, MaskedPaths: []string{"/etc/secret"},
		})
		w.masked("/etc/secret")
		if data, err := os.ReadFile("/dev/null"); err != nil || string(data) != "precious" {
			w.Errorf("the victim's file: %q, %v", data, err)
		}
		if st := w.stat("/dev/random"); st.Rdev != 1<<8|9 {
			w.Errorf("/dev/random is %#x: the config's mount was covered", st.Rdev)
		}
	})
}

// mount(2) has no clone of the host's node to fall back to.
func TestDevNullMountedLegacy(t *testing.T) {
	inside(t, []string{legacy}, func(w *world) {
		w.write("rootfs/etc/secret", "secret")
		root, err := w.prepare(&wire.Rootfs{
			Mounts:      []wire.Mount{{Destination: "/dev/null", Bind: true, Source: base + "/victim/file"}},
			MaskedPaths: []string{"/etc/secret"},
		})
		w.must(err)
		w.must(root.Enter())
		if err := root.Finish(); !safepath.IsRefusal(err) {
			w.Errorf("error %v, want a refusal", err)
		}
	})
}

// T4: the rootfs's /proc or /sys is a link.
func TestProcSymlink(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.must(os.MkdirAll(base+"/rootfs/x/y", 0o755))
		w.link("x", "rootfs/proc")
		w.link("/x/y", "rootfs/sys")
		w.write("rootfs/file", "")
		sys := wire.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs"}
		w.refused(&wire.Rootfs{Mounts: []wire.Mount{procMount()}})
		w.refused(&wire.Rootfs{Mounts: []wire.Mount{sys}})
		_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{{Destination: "/file", Type: "proc", Source: "proc"}}})
		if !safepath.IsRefusal(err) || !strings.Contains(err.Error(), "must be mounted on ordinary directory") {
			w.Errorf("proc on a file: %v", err)
		}
	})
}

// T5: a destination through links, absolute, upwards and dangling, stays inside.
func TestDestinationSymlink(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.link(base+"/victim", "rootfs/abs")
		w.link("../../../../victim", "rootfs/up")
		w.link("/etc", "rootfs/alias")
		root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/abs", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/abs/new", Bind: true, Source: base + "/src/file"},
			{Destination: "/up/deep/er", Bind: true, Source: base + "/src/dir"},
			{Destination: "/alias/conf", Bind: true, Source: base + "/src/file"},
			{Destination: "/../../.." + base + "/victim/esc", Type: "tmpfs", Source: "tmpfs"},
		}})
		w.must(err)
		w.untouched()
		w.must(root.Enter())
		for _, p := range []string{base + "/victim", "/victim/deep/er", "/etc/conf", base + "/victim/new", base + "/victim/esc"} {
			w.at(p)
		}
	})
}

// T9 and its kin: no mount of the config may imitate a file of procfs.
func TestMountInsideProc(t *testing.T) {
	tmpfs := func(dst string) wire.Mount { return wire.Mount{Destination: dst, Type: "tmpfs", Source: "tmpfs"} }
	bind := func(src, dst string) wire.Mount { return wire.Mount{Destination: dst, Bind: true, Source: src} }
	inside(t, everyVariant, func(w *world) {
		w.link("/proc/self", "rootfs/me")
		w.link("/proc", "rootfs/p")
		for _, m := range []wire.Mount{
			tmpfs("/proc/self/attr"), tmpfs("/proc/../proc/./sys"), tmpfs("//proc//sys//net"), tmpfs("/me/attr"), tmpfs("/p/sys/kernel"),
			tmpfs("/p"), tmpfs("/proc"), bind(base+"/src/dir", "/proc"), bind(base+"/src/dir", "/p"),
			bind(base+"/src/file", "/proc/self/status"), bind(base+"/src/file", "/me/attr/exec"), bind(base+"/src/file", "/proc/sys/kernel/core_pattern"),
			{Destination: "/proc/sys", Type: "sysfs", Source: "sysfs"},
		} {
			_, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{procMount(), m}})
			if !safepath.IsRefusal(err) {
				w.Errorf("%s on %s: %v, want a refusal", m.Type, m.Destination, err)
			}
		}
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			bind("/proc", "/proc"), bind(base+"/src/file", "/proc/uptime"), bind(base+"/src/file", "/proc/meminfo"),
		}})
		if data, err := os.ReadFile("/proc/uptime"); err != nil || string(data) != "source" {
			w.Errorf("/proc/uptime: %q, %v", data, err)
		}
	})
}

// A device that is a link or another node in the rootfs.
func TestDeviceInTheWay(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.link(base+"/victim/new", "rootfs/dev1/null")
		w.must(os.MkdirAll(base+"/rootfs/dev2/null", 0o755))
		dev := devices()[0]
		for _, dir := range []string{"/dev1", "/dev2"} {
			dev.Path = dir + "/null"
			_, err := w.prepare(&wire.Rootfs{Devices: []wire.Device{dev}, BindDevices: w.userNS()})
			if err == nil {
				w.Errorf("%s was made", dev.Path)
			}
			w.untouched()
		}
	})
}

func TestDevices(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		syscall.Umask(0o077)
		all := []wire.Device{
			{Path: "/dev/loop-control", Mode: syscall.S_IFCHR | 0o620, Major: 10, Minor: 237, UID: 5, GID: 6},
			{Path: "/dev/blk", Mode: syscall.S_IFBLK | 0o606, Major: 259, Minor: 70000},
			{Path: "/dev/p", Mode: syscall.S_IFIFO | 0o622, Major: 7, Minor: 7},
			{Path: "/other/dir/null", Mode: syscall.S_IFCHR | 0o666, Major: 1, Minor: 3},
		}
		w.must(os.MkdirAll(base+"/rootfs/dev", 0o755))
		w.must(syscall.Mkfifo(base+"/rootfs/dev/p", 0o600))
		w.must(os.MkdirAll(base+"/rootfs/other/dir", 0o755))
		w.must(syscall.Mknod(base+"/rootfs/other/dir/null", syscall.S_IFCHR|0o600, 1<<8|3))
		w.enter(&wire.Rootfs{Devices: all})
		for i := range all {
			d := &all[i]
			st := w.stat(d.Path)
			if !isDevice(st, d) || st.Uid != d.UID || st.Gid != d.GID {
				w.Errorf("%s: mode %#o, device %#x, %d:%d", d.Path, st.Mode, st.Rdev, st.Uid, st.Gid)
			}
			if i < 2 && st.Mode != d.Mode {
				w.Errorf("%s: mode %#o, want %#o", d.Path, st.Mode, d.Mode)
			}
		}
	})
}

func TestOtherDeviceInTheWay(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		w.must(os.MkdirAll(base+"/rootfs/dev", 0o755))
		w.must(syscall.Mknod(base+"/rootfs/dev/null", syscall.S_IFCHR|0o666, 1<<8|5))
		w.refused(&wire.Rootfs{Devices: devices()[:1]})
	})
}

// In a user namespace mknod is refused even without BindDevices in the plan.
func TestMknodFallsBackToBind(t *testing.T) {
	inside(t, []string{userns, usernsLegacy}, func(w *world) {
		w.enter(&wire.Rootfs{Devices: devices()[:2]})
		w.must(os.WriteFile("/dev/null", []byte("x"), 0))
		if st := w.stat("/dev/zero"); st.Rdev != 1<<8|5 {
			w.Errorf("/dev/zero is %#x", st.Rdev)
		}
	})
}

// CVE-2025-52565, CVE-2026-88264.
func TestConsole(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.must(os.MkdirAll(base+"/pts", 0o755))
		w.must(syscall.Mount("devpts", base+"/pts", "devpts", 0, "newinstance,ptmxmode=0666"))
		master, slave := w.openPty(base + "/pts")
		defer closeFD(master)

		w.link(base+"/victim/new", "rootfs/dev/console")
		root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{procMount()}})
		w.must(err)
		if err := root.MountConsole(slave); !safepath.IsRefusal(err) {
			w.Errorf("console is a link: %v, want a refusal", err)
		}
		w.untouched()
		w.must(os.Remove(base + "/rootfs/dev/console"))

		null, err := syscall.Open("/dev/null", syscall.O_RDWR, 0)
		w.must(err)
		// The multiplexer's node is on a devpts too, but is no slave.
		for _, fd := range []int{null, master} {
			if err := root.MountConsole(fd); !safepath.IsRefusal(err) {
				w.Errorf("no terminal: %v, want a refusal", err)
			}
		}
		w.must(root.MountConsole(slave))
		w.must(root.Enter())
		w.must(root.Finish())
		var st syscall.Stat_t
		w.must(syscall.Fstat(slave, &st))
		if got := w.stat("/dev/console"); got.Rdev != st.Rdev || got.Ino != st.Ino {
			w.Errorf("/dev/console is %#x, want %#x", got.Rdev, st.Rdev)
		}
	})
}

// After Enter the terminal comes from the container's own devpts.
func TestConsoleAfterEnter(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		root, err := w.prepare(&wire.Rootfs{
			Readonly: true,
			Mounts: []wire.Mount{procMount(), devMount(),
				{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Data: "newinstance,ptmxmode=0666"}},
		})
		w.must(err)
		w.must(root.Enter())
		master, slave := w.openPty("/dev/pts")
		defer closeFD(master)
		w.must(root.MountConsole(slave))
		w.must(root.Finish())
		if m := w.at("/dev/console"); m.fstype != "devpts" {
			w.Errorf("console is on %s", m.fstype)
		}
		root.Close()
	})
}

func (w *world) openPty(devpts string) (master, slave int) {
	w.Helper()
	master, err := syscall.Open(devpts+"/ptmx", syscall.O_RDWR|syscall.O_NOCTTY, 0)
	w.must(err)
	w.must(linux.UnlockPty(master))
	slave, err = syscall.Open(filepath.Join(devpts, "0"), syscall.O_RDWR|syscall.O_NOCTTY, 0)
	w.must(err)
	return master, slave
}

func TestPtmx(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.write("rootfs/dev/ptmx", "")
		w.link("/etc/passwd", "rootfs/dev/stdin")
		w.enter(&wire.Rootfs{SetupDev: true})
		if text, err := os.Readlink("/dev/ptmx"); err != nil || text != "pts/ptmx" {
			w.Errorf("ptmx → %q, %v", text, err)
		}
		if text, err := os.Readlink("/dev/stdin"); err != nil || text != "/etc/passwd" {
			w.Errorf("a link of the image was replaced: %q, %v", text, err)
		}
	})
}

// T8, CVE-2025-52881.
func TestSysctls(t *testing.T) {
	inside(t, []string{modern, userns}, func(w *world) {
		const key = "net/ipv4/ip_forward"
		w.write("fake/"+key, "fake")
		w.must(syscall.Mount(base+"/fake", "/proc/sys", "", syscall.MS_BIND, ""))
		host, err := safepath.HostProc()
		w.must(err)
		set := []wire.Sysctl{{Path: key, Value: "1"}}
		if err := WriteSysctls(host, set); !safepath.IsRefusal(err) || !strings.Contains(err.Error(), `sysctl net.ipv4.ip_forward: write "1"`) {
			w.Errorf("covered /proc/sys: %v, want a refusal", err)
		}
		if data, err := os.ReadFile(base + "/fake/" + key); err != nil || string(data) != "fake" {
			w.Errorf("the file in the place of the sysctl: %q, %v", data, err)
		}
		w.must(syscall.Unmount("/proc/sys", 0))
		private, err := safepath.OpenProc()
		w.must(err)
		w.must(WriteSysctls(private, set))
		if data, err := os.ReadFile("/proc/sys/" + key); err != nil || string(data) != "1\n" {
			w.Errorf("value %q, %v", data, err)
		}
		for _, p := range []string{"net/../kernel/core_pattern", "/kernel/x", "", "net//ipv4/ip_forward", "./net/ipv4/ip_forward", ".."} {
			if err := WriteSysctls(private, []wire.Sysctl{{Path: p, Value: "1"}}); !safepath.IsRefusal(err) {
				w.Errorf("%q: %v, want a refusal", p, err)
			}
		}
		if err := WriteSysctls(private, []wire.Sysctl{{Path: "net/ipv4/none", Value: "x"}}); !errors.Is(err, syscall.ENOENT) {
			w.Errorf("unknown sysctl: %v", err)
		}
		if err := WriteSysctls(private, []wire.Sysctl{{Path: key, Value: "zero"}}); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), `write "zero": invalid argument`) {
			w.Errorf("bad value: %v", err)
		}
	})
}
