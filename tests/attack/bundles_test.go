package attack

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// victim makes a directory of the host with a few things worth attacking and
// returns it with its fingerprint.
func victim(x *Test) (dir, before string) {
	x.Helper()
	dir = x.Mkdir("victim")
	for _, name := range []string{"ptmx", "null", "console", "fd", "secret"} {
		x.WriteFile(filepath.Join(dir, name), "host's "+name, 0o644)
	}
	x.Mkdir(filepath.Join(dir, "pts"))
	return dir, fingerprint(x, dir)
}

// fingerprint describes every file below dir: kind, mode, owner, content.
func fingerprint(x *Test, dir string) string {
	x.Helper()
	var b strings.Builder
	x.Must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		text := ""
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(data)
		}
		fmt.Fprintf(&b, "%s %o %d:%d %q\n", strings.TrimPrefix(path, dir), st.Mode, st.Uid, st.Gid, text)
		return nil
	}))
	return b.String()
}

// untouched fails when the victim is not as it was.
func untouched(x *Test, dir, before string) {
	x.Helper()
	if after := fingerprint(x, dir); after != before {
		x.Errorf("the host changed:\n%s\nwas:\n%s", after, before)
	}
}

// withoutMount takes a mount out of the config.
func withoutMount(destination string) Edit {
	return func(s *specs.Spec) {
		var left []specs.Mount
		for _, m := range s.Mounts {
			if m.Destination != destination && !strings.HasPrefix(m.Destination, destination+"/") {
				left = append(left, m)
			}
		}
		s.Mounts = left
	}
}

// T1, CVE-2026-41579 and twins: /dev of the image is a link to a host directory.
func TestDevIsALink(t *testing.T) {
	for _, kind := range []string{"absolute", "relative"} {
		for _, way := range []string{"run", "create", "run with devices mounted"} {
			t.Run(kind+" "+way, func(t *testing.T) {
				x := New(t)
				x.PeerFails("runc", "1.1.5 replaces ptmx and makes its links on the host")
				x.PeerFails("crun", "1.8.1 makes its links on the host")
				dir, before := victim(x)
				edits := []Edit{withoutMount("/dev")}
				if way == "run with devices mounted" {
					edits = nil
				}
				b := x.Bundle(edits...)
				x.Must(os.Remove(b.Path("dev")))
				target := dir
				if kind == "relative" {
					rel, err := filepath.Rel(b.Rootfs, dir)
					x.Must(err)
					target = rel
				}
				x.Must(os.Symlink(target, b.Path("dev")))
				// Refused or resolved inside the root: only the host counts.
				if way == "create" {
					x.Do("create", "--bundle", b.Dir, x.ID)
					x.Do("start", x.ID)
				} else {
					x.Foreground(b)
				}
				untouched(x, dir, before)
			})
		}
	}
}

// T2, CVE-2024-21626: the working directory is a descriptor of the host's, leaked
// by the caller or held by the runtime.
func TestCwdThroughDescriptor(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 goes there if the caller leaks the directory")
	leaked := hostDirectory(x)
	for n := range 21 {
		for _, form := range []string{"/proc/self/fd/%d", "/proc/1/fd/%d", "/proc/self/fd/%d/sub/.."} {
			cwd := fmt.Sprintf(form, n)
			cmd := x.RunCmd(x.Bundle(Args("/bin/sh", "-c", "cat marker ../marker sub/marker"), func(s *specs.Spec) { s.Process.Cwd = cwd }))
			cmd.ExtraFiles = leaked
			r := cmd.Run()
			x.ContainsNot("read with cwd "+cwd, r.Stdout, "host's marker")
		}
	}
}

// hostDirectory opens a directory of the host a few times, to be leaked.
func hostDirectory(x *Test) []*os.File {
	x.Helper()
	dir := x.Mkdir("hostdir")
	x.Mkdir("hostdir/sub")
	x.WriteFile("hostdir/marker", "host's marker", 0o644)
	var files []*os.File
	for range 5 {
		f, err := os.Open(dir)
		x.Must(err)
		x.Cleanup(func() { _ = f.Close() })
		files = append(files, f)
	}
	return files
}

// The same by exec, also through a link that the container made.
func TestExecCwdThroughDescriptor(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 goes there if the caller leaks the directory")
	leaked := hostDirectory(x)
	c := x.Up()
	for n := range 15 {
		for _, form := range []string{"/proc/self/fd/%d", "/proc/1/fd/%d"} {
			cwd := fmt.Sprintf(form, n)
			link := fmt.Sprintf("/tmp/link%d-%d", n, len(form))
			x.Must(os.Symlink(cwd, c.Bundle.Path(link)))
			for _, dir := range []string{cwd, link} {
				cmd := c.ExecCmd([]string{"--cwd", dir}, "/bin/cat", "marker")
				cmd.ExtraFiles = leaked
				x.ContainsNot("read by exec --cwd "+dir, cmd.Run().Stdout, "host's marker")
			}
		}
	}
}

// T3, CVE-2025-31133 and crun CVE-2026-88265: /dev/null of the image is something
// else, and masking paths or reopening stdio with it hits a host file.
func TestDevNullIsALink(t *testing.T) {
	for _, mode := range []string{"link", "bind mount"} {
		t.Run(mode, func(t *testing.T) {
			x := New(t, Root)
			if mode == "link" {
				x.PeerFails("runc", "1.1.5 binds the host's file writable over the masked paths")
				x.PeerFails("crun", "1.8.1 binds the host's file writable over the masked paths")
			}
			dir, before := victim(x)
			secret := filepath.Join(dir, "secret")
			edits := []Edit{
				Args("/bin/sh", "-c", "echo overwritten > /dev/null; echo overwritten > /masked; echo overwritten > /proc/sys/kernel/core_pattern; true"),
				func(s *specs.Spec) {
					s.Process.User.UID = 0
					s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/masked", "/proc/sys/kernel/core_pattern")
				},
			}
			if mode == "link" {
				edits = append(edits, withoutMount("/dev"))
			} else {
				// A volume: it is the config that puts the host's file there. Read-only for
				// the container means that no other path may give write access to it.
				edits = append(edits, Mounted("/dev/null", "bind", secret, "bind", "ro"))
			}
			b := x.Bundle(edits...)
			x.WriteFile(b.Path("masked"), "x", 0o644)
			if mode == "link" {
				x.Must(os.Symlink(secret, b.Path("dev/null")))
			}
			x.Foreground(b)
			untouched(x, dir, before)
		})
	}
}

// T4, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc or /sys of the image
// is a link; no label or mask may land elsewhere.
func TestProcIsALink(t *testing.T) {
	x := New(t)
	for _, name := range []string{"proc", "sys"} {
		for _, target := range []string{"/tmp", "tmp", "/etc/../tmp", "/"} {
			x.Sub(name+" to "+target, func(y *Test) {
				b := y.Bundle(Args("/bin/probe", "report"))
				y.Must(os.Remove(b.Path(name)))
				y.Must(os.Symlink(target, b.Path(name)))
				y.Refused(y.Foreground(b), 1, name)
				y.NothingLeft()
			})
		}
	}
}

// A volume on /proc, or on files in it that the runtime itself relies on (T9).
func TestMountOverProc(t *testing.T) {
	for _, destination := range []string{"/proc", "/proc/self/attr", "/proc/thread-self", "/proc/self", "/proc/1", "/proc/sys", "/proc/self/attr/exec", "/proc/sysrq-trigger"} {
		t.Run(destination, func(t *testing.T) {
			x := New(t)
			if strings.HasPrefix(destination, "/proc/self") || strings.HasPrefix(destination, "/proc/t") {
				x.PeerFails("runc", "1.1.5 accepts it")
			}
			if destination != "/proc" {
				x.PeerFails("crun", "1.8.1 accepts it")
			} else {
				x.PeerFails("crun", "1.8.1 has no such rule")
			}
			dir := x.Mkdir("fake")
			x.Refused(x.Foreground(x.Bundle(Mounted(destination, "bind", dir, "rbind"))), 1, "/proc")
			x.NothingLeft()
			if destination == "/proc/self/attr" {
				x.Refused(x.Foreground(x.Bundle(Mounted(destination, "tmpfs", "tmpfs"))), 1, "/proc")
			}
		})
	}
}

// The files that engines (lxcfs) do mount there stay possible.
func TestAllowedMountsInProc(t *testing.T) {
	x := New(t)
	file := x.WriteFile("meminfo", "MemTotal: 1 kB\n", 0o644)
	for _, name := range []string{"cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"} {
		if _, err := os.Stat("/proc/" + name); err != nil {
			continue
		}
		r := x.Foreground(x.Bundle(Args("/bin/cat", "/proc/"+name), Mounted("/proc/"+name, "bind", file, "bind", "ro")))
		x.Code(r, 0)
		Equal(x, name, r.Stdout, "MemTotal: 1 kB\n")
	}
}

// T5, crun CVE-2019-18837: a mount's destination through links that lead out.
func TestMountThroughLink(t *testing.T) {
	x := New(t)
	dir, before := victim(x)
	for name, target := range map[string]string{
		"absolute": dir, "up": strings.Repeat("../", 20) + strings.TrimPrefix(dir, "/"), "viaproc": "/proc/self/root", "chain": "/absolute",
	} {
		x.Sub(name, func(y *Test) {
			b := y.Bundle(Mounted("/"+name+"/m", "tmpfs", "tmpfs"), Mounted("/"+name+"/secret", "bind", y.WriteFile("mine", "x", 0o644), "bind"))
			y.Must(os.Symlink(target, b.Path(name)))
			if name == "chain" {
				y.Must(os.Symlink(dir, b.Path("absolute")))
			}
			y.Foreground(b)
			untouched(y, dir, before)
		})
	}
}

// T7 with what a path of an id could reach.
func TestIDLeavesTheRoot(t *testing.T) {
	x := New(t, Not("crun", "1.8.1 removes what it is pointed at"))
	dir, before := victim(x)
	b := x.Bundle()
	for _, id := range []string{".", "..", "", "../victim", "../../" + x.ID + "/victim", "/", dir} {
		for _, args := range [][]string{
			{"create", "--bundle", b.Dir, "--", id}, {"delete", "--force", "--", id}, {"delete", "--", id}, {"state", "--", id}, {"kill", "--", id, "9"},
		} {
			r := x.Do(args...)
			if r.Code == 0 && args[0] != "delete" {
				x.Errorf("%v: want an error", r)
			}
		}
	}
	untouched(x, dir, before)
	if _, err := os.Stat(x.Root); err != nil {
		x.Errorf("the state directory: %v", err)
	}
}

// T8: a sysctl's name leads to another file.
func TestSysctlTraversal(t *testing.T) {
	x := New(t, Root)
	before := x.ReadFile("/proc/sys/kernel/core_pattern")
	for _, name := range []string{
		"net/../kernel/core_pattern", "net.../kernel/core_pattern", "kernel.shm_rmid_forced/../core_pattern",
		"net.ipv4/../../kernel.core_pattern", "kernel/core_pattern", "kernel.core_pattern", "/kernel/core_pattern", "net/./../kernel/core_pattern",
		"fs.mqueue/../../kernel/core_pattern",
	} {
		x.Sub(name, func(y *Test) {
			r := y.Foreground(y.Bundle(func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{name: before} }))
			y.Refused(r, 1, "sysctl|core_pattern")
			y.NothingLeft()
		}, Root)
	}
	Equal(x, "core_pattern", x.ReadFile("/proc/sys/kernel/core_pattern"), before)
}

// T8, CVE-2022-0811: a value is written as it is and sets nothing else.
func TestSysctlValue(t *testing.T) {
	x := New(t, Root)
	before := x.ReadFile("/proc/sys/kernel/core_pattern")
	x.Foreground(x.Bundle(func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"kernel.shm_rmid_forced": "1+kernel.core_pattern=|/tmp/x\nkernel.core_pattern=|/tmp/x"}
	}))
	Equal(x, "core_pattern", x.ReadFile("/proc/sys/kernel/core_pattern"), before)
}

// CVE-2025-52881: a sysctl written while the image has links or mounts in the way.
func TestSysctlRedirect(t *testing.T) {
	x := New(t, Root)
	x.PeerFails("crun", "1.8.1 accepts a mount over /proc/sys/net")
	dir := x.Mkdir("fake")
	x.Mkdir("fake/ipv4")
	x.WriteFile("fake/ipv4/ip_forward", "untouched", 0o644)
	r := x.Foreground(x.Bundle(Mounted("/proc/sys/net", "bind", dir, "rbind"), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	}))
	x.Refused(r, 1, "/proc")
	Equal(x, "file in the way", x.ReadFile("fake/ipv4/ip_forward"), "untouched")
}

// T10: root.path is a link.
func TestRootIsALink(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 follows it")
	b := x.Bundle()
	x.Must(os.Rename(b.Rootfs, b.Rootfs+".real"))
	x.Must(os.Symlink(b.Rootfs+".real", b.Rootfs))
	x.Refused(x.Foreground(b), 1, "rootfs")
	x.NothingLeft()
}

// CVE-2025-52565, crun CVE-2026-88264: /dev/console and /dev/pts of the image.
func TestConsoleIsALink(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		for _, with := range []string{"console to a file", "console to nothing yet", "pts"} {
			t.Run(fmt.Sprint(with, " terminal=", terminal), func(t *testing.T) {
				x := New(t, Root)
				x.PeerFails("crun", "1.8.1 makes the file at the end of the link at times")
				dir, before := victim(x)
				b := x.Bundle(withoutMount("/dev"), func(s *specs.Spec) { s.Process.Terminal = terminal })
				switch with {
				case "console to a file":
					x.Must(os.Symlink(filepath.Join(dir, "console"), b.Path("dev/console")))
				case "console to nothing yet":
					x.Must(os.Symlink(filepath.Join(dir, "new"), b.Path("dev/console")))
				case "pts":
					x.Must(os.Symlink(dir, b.Path("dev/pts")))
				}
				cmd := x.RunCmd(b)
				if terminal {
					pty := x.NewPty(24, 80)
					cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Tty = pty.Slave, pty.Slave, pty.Slave, true
				}
				cmd.Run()
				untouched(x, dir, before)
			})
		}
	}
}

// Devices of the config through links of the image.
func TestDeviceThroughLink(t *testing.T) {
	x := New(t, Root)
	dir, before := victim(x)
	b := x.Bundle(func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{
			{Path: "/out/device", Type: "c", Major: 1, Minor: 3, FileMode: Ptr(os.FileMode(0o666)), UID: Ptr(uint32(7)), GID: Ptr(uint32(7))},
			{Path: "/last", Type: "c", Major: 1, Minor: 3, FileMode: Ptr(os.FileMode(0o666)), UID: Ptr(uint32(7)), GID: Ptr(uint32(7))},
		}
	})
	x.Must(os.Symlink(dir, b.Path("out")))
	x.Must(os.Symlink(filepath.Join(dir, "secret"), b.Path("last")))
	x.Foreground(b)
	untouched(x, dir, before)
}

// Masked and read-only paths through links of the image.
func TestMaskThroughLink(t *testing.T) {
	x := New(t, Root)
	dir, before := victim(x)
	b := x.Bundle(func(s *specs.Spec) {
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/out/secret", "/out/pts", "/link")
		s.Linux.ReadonlyPaths = append(s.Linux.ReadonlyPaths, "/out/fd", "/out/pts")
	})
	x.Must(os.Symlink(dir, b.Path("out")))
	x.Must(os.Symlink(filepath.Join(dir, "secret"), b.Path("link")))
	x.Foreground(b)
	untouched(x, dir, before)
	// Neither mounted over nor read-only.
	x.WriteFile(filepath.Join(dir, "pts", "new"), "", 0o644)
}

// The working directory is made inside only.
func TestCwdThroughLink(t *testing.T) {
	x := New(t)
	dir, before := victim(x)
	b := x.Bundle(func(s *specs.Spec) { s.Process.Cwd = "/out/new/dir" })
	x.Must(os.Symlink(dir, b.Path("out")))
	x.Foreground(b)
	untouched(x, dir, before)
}

// tmpcopyup copies what is inside only.
func TestTmpCopyUpThroughLink(t *testing.T) {
	x := New(t)
	dir, before := victim(x)
	b := x.Bundle(Args("/bin/sh", "-c", "cat /out/secret /copy/secret; true"), Mounted("/copy", "tmpfs", "tmpfs", "tmpcopyup"))
	x.Must(os.Symlink(dir, b.Path("copy")))
	x.Must(os.Symlink(dir, b.Path("out")))
	r := x.Foreground(b)
	x.ContainsNot("stdout", r.Stdout, "host's secret")
	untouched(x, dir, before)
}

// CVE-2023-25809: rootless without a cgroup namespace, the cgroup file system is
// not writable.
func TestRootlessCgroupIsReadonly(t *testing.T) {
	x := New(t, AsUser, UserNS)
	b := x.Bundle(Args("/bin/sh", "-c", "touch /sys/fs/cgroup/x; for d in /sys/fs/cgroup/*/; do mkdir $d/x; done; echo done"))
	r := x.Foreground(b)
	x.Code(r, 0)
	if strings.Count(r.Stderr, "touch:") != 1 {
		x.Errorf("%v: touch went through", r)
	}
}

// GHSA-g54h: no device rules at all does not mean all devices.
func TestNoDeviceRules(t *testing.T) {
	x := New(t, Cgroup())
	major, minor := disk(x)
	b := x.Bundle(Args("/bin/probe", "try", fmt.Sprintf("mknod:/tmp/disk:b:%d:%d", major, minor), "open:/tmp/disk"),
		func(s *specs.Spec) { s.Linux.Resources = nil })
	r := x.Foreground(b)
	x.Code(r, 0)
	var tried Tried
	x.JSON(r.Stdout, &tried)
	Equal(x, "opening the host's disk", tried["open:/tmp/disk"], "EPERM")
}

// disk is the device number of a disk of the host.
func disk(x *Test) (major, minor uint32) {
	x.Helper()
	for line := range strings.Lines(x.ReadFile("/proc/partitions")) {
		var name string
		if n, _ := fmt.Sscanf(line, "%d %d %d %s", &major, &minor, new(int), &name); n == 4 {
			return major, minor
		}
	}
	x.Skip("needs a disk")
	return 0, 0
}

// CVE-2021-43784: lengths beyond 64 KiB arrive whole or are refused.
func TestLongBootstrap(t *testing.T) {
	x := New(t, Root)
	var maps []specs.LinuxIDMapping
	for i := range uint32(300) {
		maps = append(maps, specs.LinuxIDMapping{ContainerID: i, HostID: 100000 + i, Size: 1})
	}
	b := x.Bundle(Args("/bin/probe", "report"), With(specs.UserNamespace, ""), func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = maps, maps
		for i := range 3000 {
			s.Process.Env = append(s.Process.Env, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", 100)))
		}
	})
	r := x.Foreground(b)
	if r.Code == 0 {
		var report Report
		x.JSON(r.Stdout, &report)
		Equal(x, "variables", len(report.Env) >= 3000, true)
		Equal(x, "user namespace is new", report.Namespaces["user"] != x.Namespace(os.Getpid(), "user"), true)
	}
	x.NothingLeft()
	// More lines than the kernel takes.
	for i := range uint32(5000) {
		maps = append(maps, specs.LinuxIDMapping{ContainerID: 1000 + i, HostID: 101000 + i, Size: 1})
	}
	b.Save(func(s *specs.Spec) { s.Linux.UIDMappings, s.Linux.GIDMappings = maps, maps })
	x.Refused(x.Foreground(b), 1)
	x.NothingLeft()
}
