package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Bundle is a bundle on disk.
type Bundle struct {
	x           *Test
	Dir, Rootfs string
	Spec        *specs.Spec
}

// Edit changes a spec before it is written.
type Edit func(*specs.Spec)

// Args sets the command.
func Args(args ...string) Edit {
	return func(s *specs.Spec) { s.Process.Args = args }
}

// Shell sets the command to a shell script.
func Shell(script string) Edit { return Args("/bin/sh", "-c", script) }

// Mounted adds a mount.
func Mounted(destination, kind, source string, options ...string) Edit {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: destination, Type: kind, Source: source, Options: options})
	}
}

// Without takes a kind of new namespace away: the container shares the caller's.
func Without(kind specs.LinuxNamespaceType) Edit {
	return func(s *specs.Spec) {
		var left []specs.LinuxNamespace
		for _, ns := range s.Linux.Namespaces {
			if ns.Type != kind {
				left = append(left, ns)
			}
		}
		s.Linux.Namespaces = left
	}
}

// With makes the container have the namespace: new, or joined when path is not empty.
func With(kind specs.LinuxNamespaceType, path string) Edit {
	return func(s *specs.Spec) {
		Without(kind)(s)
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
	}
}

// Ptr returns a pointer to v, for the optional fields of a spec.
func Ptr[T any](v T) *T { return &v }

// Busybox returns the path of the static busybox.
func Busybox() string {
	if path := os.Getenv("BERTH_BUSYBOX"); path != "" {
		return path
	}
	return "/bin/busybox"
}

// applets are the commands every rootfs has.
var applets = []string{
	"sh", "true", "false", "cat", "ls", "echo", "sleep", "id", "mkdir", "touch", "stat", "mount", "umount", "head",
	"dd", "ps", "kill", "hostname", "test", "ln", "rm", "env", "printf", "wc", "grep", "readlink", "stty", "ip", "seq",
}

// makeTemplate puts busybox and the probe where every rootfs links them from.
func makeTemplate() error {
	dir := filepath.Join(base, "template")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, source := range map[string]string{"busybox": Busybox(), "probe": "/proc/self/exe"} {
		data, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// NewRootfs makes a root file system with busybox and the probe at dir.
func (x *Test) NewRootfs(dir string) string {
	x.Helper()
	dir = x.Mkdir(dir)
	for _, d := range []string{"bin", "dev", "proc", "sys", "tmp", "etc", "root", "home", "var"} {
		x.Mkdir(filepath.Join(dir, d))
	}
	x.Must(os.Chmod(filepath.Join(dir, "tmp"), 0o1777))
	for _, name := range []string{"busybox", "probe"} {
		x.Must(os.Link(filepath.Join(base, "template", name), filepath.Join(dir, "bin", name)))
	}
	for _, name := range applets {
		x.Must(os.Symlink("busybox", filepath.Join(dir, "bin", name)))
	}
	x.WriteFile(filepath.Join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/home:/bin/sh\n", 0o644)
	x.WriteFile(filepath.Join(dir, "etc/group"), "root:x:0:\nworker:x:1000:\n", 0o644)
	return dir
}

// OwnPrograms gives a bundle copies of its programs instead of links, for tests
// that may write to them.
func (b *Bundle) OwnPrograms() {
	b.x.Helper()
	for _, name := range []string{"busybox", "probe"} {
		path := b.Path("bin/" + name)
		data, err := os.ReadFile(path)
		b.x.Must(err)
		b.x.Must(os.Remove(path))
		b.x.Must(os.WriteFile(path, data, 0o755))
	}
}

// Bundle makes a bundle for the test's first container.
func (x *Test) Bundle(edits ...Edit) *Bundle {
	x.Helper()
	return x.BundleFor(x.ID, edits...)
}

// BundleFor makes a bundle for the container with the given id.
func (x *Test) BundleFor(id string, edits ...Edit) *Bundle {
	x.Helper()
	dir := filepath.Join(x.Dir, "bundle-"+id)
	if _, err := os.Stat(dir); err == nil {
		dir = x.unusedDir(dir)
	}
	b := &Bundle{x: x, Dir: x.Mkdir(dir), Spec: x.DefaultSpec(id)}
	b.Rootfs = x.NewRootfs(filepath.Join(dir, "rootfs"))
	for _, edit := range edits {
		edit(b.Spec)
	}
	b.Save()
	return b
}

func (x *Test) unusedDir(prefix string) string {
	for i := 1; ; i++ {
		dir := fmt.Sprintf("%s-%d", prefix, i)
		if _, err := os.Stat(dir); err != nil {
			return dir
		}
	}
}

// Save writes config.json again.
func (b *Bundle) Save(edits ...Edit) {
	b.x.Helper()
	for _, edit := range edits {
		edit(b.Spec)
	}
	data, err := json.MarshalIndent(b.Spec, "", "\t")
	b.x.Must(err)
	b.x.WriteFile(filepath.Join(b.Dir, "config.json"), string(data), 0o644)
}

// SaveRaw writes config.json as the given text.
func (b *Bundle) SaveRaw(text string) {
	b.x.Helper()
	b.x.WriteFile(filepath.Join(b.Dir, "config.json"), text, 0o644)
}

// Path returns the host's path of a file in the rootfs.
func (b *Bundle) Path(inside string) string { return filepath.Join(b.Rootfs, inside) }

// defaultCaps are the capabilities engines give by default.
var defaultCaps = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

// DefaultSpec is a container like the engines make it, without limits or seccomp.
func (x *Test) DefaultSpec(id string) *specs.Spec {
	s := &specs.Spec{
		// All three runtimes take this version; the peers refuse or warn at newer ones.
		Version: "1.0.2",
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args: []string{"/bin/true"}, Cwd: "/",
			Env: []string{"PATH=/bin:/usr/bin", "HOME=/root"},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: defaultCaps, Effective: defaultCaps, Permitted: defaultCaps,
			},
		},
		Hostname: "bt",
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace},
			},
			Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			CgroupsPath: x.cgroupsPath(id),
			MaskedPaths: []string{"/proc/kcore", "/proc/keys", "/proc/acpi"},
			ReadonlyPaths: []string{
				"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
			},
		},
	}
	if x.Rootless {
		x.rootless(s)
	}
	return s
}

// rootless makes a spec one that an unprivileged user can run.
func (x *Test) rootless(s *specs.Spec) {
	if delegated() == "" {
		s.Linux.Resources = nil
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	uid := uint32(x.UID())
	gid := uint32(os.Getegid())
	if uid == User {
		gid = User
	}
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uid, Size: 1}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: gid, Size: 1}}
	if r := x.ranges; r != nil {
		s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 1, HostID: r.uids.first, Size: r.uids.size})
		s.Linux.GIDMappings = append(s.Linux.GIDMappings, specs.LinuxIDMapping{ContainerID: 1, HostID: r.gids.first, Size: r.gids.size})
	}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		switch m.Destination {
		case "/dev/pts":
			// gid 5 is not mapped.
			m.Options = m.Options[:len(m.Options)-1]
		case "/sys":
			*m = specs.Mount{
				Destination: "/sys", Type: "none", Source: "/sys",
				Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"},
			}
		}
	}
}
