package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/libcontainer/wire"
)

// TestContainer builds what engines ask for and looks at it from inside.
func TestContainer(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		syscall.Umask(0o077)
		r := &wire.Rootfs{
			Mounts: []wire.Mount{
				procMount(),
				devMount(),
				{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Data: "newinstance,ptmxmode=0666,mode=0620,gid=5", AttrSet: nosuid | noexec},
				{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Data: "mode=1777,size=65536k", AttrSet: nosuid | nodev | noexec},
				{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", AttrSet: nosuid | nodev | noexec, SkipLabel: true},
				{Destination: "/sys", Type: "sysfs", Source: "sysfs", AttrSet: nosuid | nodev | noexec | ro, SuperFlags: syscall.MS_RDONLY, SkipLabel: true},
				{Destination: "/tmp", Type: "tmpfs"},
				{Destination: "/run", Type: "tmpfs", Source: "tmpfs", AttrSet: ro, SuperFlags: syscall.MS_RDONLY},
				{Destination: "/run/secrets/one", Bind: true, Source: base + "/src/file", AttrSet: ro},
			},
			Devices:       devices(),
			BindDevices:   w.userNS(),
			SetupDev:      true,
			Readonly:      true,
			MaskedPaths:   []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/no-such", "/proc/kcore/below", "/sys/firmware", "/proc/fs", "/proc/acpi"},
			ReadonlyPaths: []string{"/proc/sys", "/proc/irq", "/proc/none", "/etc"},
		}
		if w.userNS() {
			r.Devices = r.Devices[:5]
		}
		w.write("rootfs/etc/hosts", "hosts")
		w.enter(r)
		if old := syscall.Umask(0o022); old != 0o077 {
			w.Errorf("the umask is %#o", old)
		}
		if wd, err := os.Getwd(); err != nil || wd != "/" {
			w.Errorf("working directory %q, %v", wd, err)
		}
		for _, m := range w.mounts() {
			if strings.HasPrefix(m.point, base) {
				w.Errorf("the host's %s is still mounted", m.point)
			}
		}
		w.expect("/", "ro")
		w.expect("/proc", "rw", "!nosuid")
		w.expect("/dev", "rw", "nosuid", "!relatime", "!noatime")
		w.expect("/dev/pts", "nosuid", "noexec")
		w.expect("/dev/shm", "nosuid", "nodev", "noexec", "relatime")
		w.expect("/sys", "ro", "nosuid", "nodev", "noexec")
		w.expect("/run", "ro")
		w.expect("/run/secrets/one", "ro")
		w.expect("/proc/sys", "ro")
		w.expect("/etc", "ro")
		w.readonly("/etc/hosts")
		if _, err := os.ReadDir("/dev/mqueue"); err != nil {
			w.Error(err)
		}
		if m := w.at("/dev/pts"); !strings.Contains(m.super, "gid=") || !strings.Contains(m.super, "mode=620") {
			w.Errorf("devpts options %s", m.super)
		}
		if m := w.at("/dev/shm"); m.source != "shm" || !strings.Contains(m.super, "size=65536k") {
			w.Errorf("shm from %s, options %s", m.source, m.super)
		}
		if st := w.stat("/tmp"); st.Mode&0o7777 != 0o1777 {
			w.Errorf("/tmp has mode %#o", st.Mode)
		}
		if data, err := os.ReadFile("/run/secrets/one"); err != nil || string(data) != "source" {
			w.Errorf("bound file: %q, %v", data, err)
		}
		for i := range r.Devices {
			d := &r.Devices[i]
			if st := w.stat(d.Path); !isDevice(st, d) || st.Mode&0o777 != 0o666 {
				w.Errorf("%s: mode %#o, device %#x", d.Path, st.Mode, st.Rdev)
			}
		}
		if err := os.WriteFile("/dev/null", []byte("x"), 0); err != nil {
			w.Error(err)
		}
		for name, text := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"} {
			if got, err := os.Readlink("/dev/" + name); err != nil || got != text {
				w.Errorf("/dev/%s → %q, %v", name, got, err)
			}
		}
		w.masked("/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/fs")
	})
}

// masked checks paths that exist on this kernel.
func (w *world) masked(paths ...string) {
	w.Helper()
	for _, p := range paths {
		var st syscall.Stat_t
		if syscall.Lstat(p, &st) != nil {
			continue
		}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFDIR:
			entries, err := os.ReadDir(p)
			w.must(err)
			if m := w.at(p); len(entries) != 0 || m.fstype != "tmpfs" || !m.has("ro") {
				w.Errorf("%s: %d entries, %s %s", p, len(entries), m.fstype, m.options)
			}
		case syscall.S_IFCHR:
			if st.Rdev != 1<<8|3 {
				w.Errorf("%s is device %#x", p, st.Rdev)
			}
			if w.variant == modern {
				if err := os.Chmod(p, 0o600); !errors.Is(err, syscall.EROFS) {
					w.Errorf("chmod of masked %s: %v, want the host's node to be read-only", p, err)
				}
			}
		default:
			w.Errorf("%s is not masked: mode %#o", p, st.Mode)
		}
	}
}

func TestNoPivot(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		w.must(os.MkdirAll(base+"/extra proc", 0o755))
		w.must(syscall.Mount("proc", base+"/extra proc", "proc", 0, ""))
		w.enter(&wire.Rootfs{NoPivot: true, Readonly: true, Mounts: []wire.Mount{procMount()}, Devices: devices()[:1], MaskedPaths: []string{"/proc/keys"}})
		if _, err := os.Stat("/usr/bin"); err != nil {
			w.Error(err)
		}
		w.expect("/", "ro")
		w.masked("/proc/keys")
		for _, m := range w.mounts() {
			if (m.fstype == "proc" && m.point != "/proc" && m.point != "/proc/keys") || m.fstype == "sysfs" {
				w.Errorf("%s on %s is left", m.fstype, m.point)
			}
		}
	})
}

func TestEnterChroot(t *testing.T) {
	inside(t, []string{modern, userns}, func(w *world) {
		w.link("rootfs", "alias")
		if err := EnterChroot(base + "/alias"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			w.Errorf("a root that is a link: %v", err)
		}
		if err := EnterChroot(base + "/none"); !errors.Is(err, syscall.ENOENT) {
			w.Errorf("a missing root: %v", err)
		}
		w.must(EnterChroot(base + "/rootfs"))
		if _, err := os.Stat("/usr/bin"); err != nil {
			w.Error(err)
		}
		if wd, err := os.Getwd(); err != nil || wd != "/" {
			w.Errorf("working directory %q, %v", wd, err)
		}
	})
}

func TestFinalPropagation(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.enter(&wire.Rootfs{
			FinalPropagation: syscall.MS_UNBINDABLE | syscall.MS_REC,
			Mounts:           []wire.Mount{procMount(), devMount()},
			Devices:          devices()[:1],
			BindDevices:      w.userNS(),
			ReadonlyPaths:    []string{"/proc/sys", "/etc"},
			MaskedPaths:      []string{"/proc/keys", "/proc/fs"},
		})
		if m := w.at("/"); m.optional != "unbindable" {
			w.Errorf("the root is %q", m.optional)
		}
		if m := w.at("/proc/sys"); m.optional != "unbindable" || !m.has("ro") {
			w.Errorf("/proc/sys is %q %s", m.optional, m.options)
		}
	})
}

func TestSharedPropagation(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.enter(&wire.Rootfs{FinalPropagation: syscall.MS_SHARED, Mounts: []wire.Mount{procMount()}})
		if m := w.at("/"); !strings.HasPrefix(m.optional, "shared:") {
			w.Errorf("the root is %q", m.optional)
		}
		if m := w.at("/proc"); m.optional != "" {
			w.Errorf("/proc is %q", m.optional)
		}
	})
}

// The host's mounts are shared, and the namespace was just copied: nothing that
// the container does comes back.
func TestPropagationFromSharedHost(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		w.must(syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, ""))
		before := len(w.mounts())
		inner := func() error {
			if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
				return err
			}
			root, err := w.prepare(&wire.Rootfs{Mounts: []wire.Mount{procMount()}})
			if err != nil {
				return err
			}
			// pivot_root wants no shared parent mount.
			if err := root.pivot(); err != nil {
				return err
			}
			return root.Finish()
		}
		done := make(chan error)
		go func() { done <- onOwnThread(inner) }()
		w.must(<-done)
		if after := len(w.mounts()); after != before {
			w.Errorf("%d mounts on the host, %d before", after, before)
		}
	})
}

func TestRootSymlink(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.link("rootfs", "alias")
		w.refused(&wire.Rootfs{Path: base + "/alias"})
		if _, err := w.prepare(&wire.Rootfs{Path: base + "/none"}); !errors.Is(err, syscall.ENOENT) {
			w.Errorf("missing rootfs: %v", err)
		}
		if _, err := w.prepare(&wire.Rootfs{Path: base + "/src/file"}); !errors.Is(err, syscall.ENOTDIR) {
			w.Errorf("rootfs is a file: %v", err)
		}
	})
}

func TestMountOnRoot(t *testing.T) {
	inside(t, everyVariant, func(w *world) {
		w.enter(&wire.Rootfs{Readonly: true, Mounts: []wire.Mount{
			{Destination: "/", Bind: true, Recursive: true, Source: base + "/src"},
			{Destination: "/dir/sub", Type: "tmpfs", Source: "tmpfs"},
		}})
		if data, err := os.ReadFile("/file"); err != nil || string(data) != "source" {
			w.Errorf("file of the new root: %q, %v", data, err)
		}
		w.expect("/dir/sub", "rw")
		w.expect("/", "ro")
	})
}

func TestCleanPath(t *testing.T) {
	for _, p := range []string{"", "/", "//", "a", "/a/", "/a/../b", "../..", "/./a//b/./..", "/proc/../proc/self", "a/../.."} {
		want := filepath.Clean("/" + p)
		if got := cleanPath(p); got != want {
			t.Errorf("cleanPath(%q) = %q, want %q", p, got, want)
		}
	}
}
