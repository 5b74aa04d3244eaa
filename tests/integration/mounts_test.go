package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// try runs the probe's attempts in a container of their own.
func try(x *Test, edit Edit, attempts ...string) Tried {
	x.Helper()
	out := x.Output(edit, Args(append([]string{"/bin/probe", "try"}, attempts...)...))
	var tried Tried
	x.JSON(out, &tried)
	return tried
}

// tryIn runs the probe's attempts by exec.
func tryIn(c *Container, x *Test, attempts ...string) Tried {
	x.Helper()
	var tried Tried
	x.JSON(c.ExecOK(append([]string{"/bin/probe", "try"}, attempts...)...), &tried)
	return tried
}

// Options of a mount as mountinfo shows them: present, or absent with a "-".
func TestMountOptions(t *testing.T) {
	for _, one := range []struct {
		options, want string
		runc, crun    string
	}{
		{"rw", "rw -nosuid -nodev -noexec", "", ""},
		{"ro", "ro", "", ""},
		{"nosuid nodev noexec", "nosuid nodev noexec", "", ""},
		{"nosuid suid nodev dev noexec exec", "-nosuid -nodev -noexec", "", "1.8.1 sets, and does not clear"},
		{"noatime", "noatime", "", ""},
		{"nodiratime", "nodiratime", "", ""},
		{"relatime", "relatime", "", ""},
		{"strictatime", "-relatime -noatime", "", ""},
		{"nosymfollow", "nosymfollow", "", "1.8.1 does not know it"},
		{"sync", "sync", "", ""},
		{"dirsync", "dirsync", "", ""},
		{"mode=0750 size=4096k", "size=4096k mode=750", "", ""},
		{"nr_inodes=77", "nr_inodes=77", "", ""},
		{"lazytime", "", "", "1.8.1 does not know it"},
		{"silent", "", "", "1.8.1 does not know it"},
		{"iversion", "", "", "1.8.1 does not know it"},
		{"loud", "", "", "1.8.1 does not know it"},
		{"mand nomand", "", "", ""},
		{"defaults", "rw", "1.1.5 passes it to the file system", ""},
	} {
		t.Run(strings.ReplaceAll(one.options, " ", ","), func(t *testing.T) {
			x := New(t)
			if one.runc != "" {
				x.PeerFails("runc", one.runc)
			}
			if one.crun != "" {
				x.PeerFails("crun", one.crun)
			}
			r := x.Report(Mounted("/mnt/new", "tmpfs", "tmpfs", strings.Fields(one.options)...))
			m, ok := r.Mount("/mnt/new")
			if !ok {
				x.Fatalf("no mount at /mnt/new")
			}
			for want := range strings.FieldsSeq(one.want) {
				if name, absent := strings.CutPrefix(want, "-"); m.Has(name) == absent {
					x.Errorf("%s: got %s %s", want, m.Options, m.SuperOptions)
				}
			}
		})
	}
}

// Propagation of a mount.
func TestMountPropagation(t *testing.T) {
	for option, want := range map[string]string{
		"private": "", "rprivate": "", "shared": "shared:", "rshared": "shared:", "slave": "", "rslave": "",
		"unbindable": "unbindable", "runbindable": "unbindable",
	} {
		t.Run(option, func(t *testing.T) {
			x := New(t)
			if want != "" {
				x.PeerFails("crun", "1.8.1 makes them private again")
			}
			r := x.Report(Mounted("/mnt", "tmpfs", "tmpfs", option))
			m, ok := r.Mount("/mnt")
			if !ok || !strings.HasPrefix(m.Propagation, want) || want == "" && m.Propagation != "" {
				x.Errorf("mount at /mnt: %+v", m)
			}
		})
	}
}

// A bind mount of a directory, a file, a tree, with options.
func TestBindMounts(t *testing.T) {
	x := New(t)
	dir := x.Mkdir("source")
	x.Mkdir("source/sub")
	x.WriteFile("source/file", "content", 0o644)
	file := filepath.Join(dir, "file")
	c := x.Up(
		Mounted("/d", "bind", dir, "bind", "rw"),
		Mounted("/ro", "bind", dir, "bind", "ro", "nosuid", "nodev", "noexec"),
		Mounted("/made/on/the/way/file", "bind", file, "rbind", "ro"),
		Mounted("/etc/passwd", "", file, "bind"),
		Mounted("/typed", "none", dir, "rbind"),
	)
	tried := tryIn(c, x, "create:/d/new", "create:/ro/new", "read:/made/on/the/way/file", "write:/made/on/the/way/file",
		"read:/etc/passwd", "read:/typed/file")
	Same(x, "tried", tried, Tried{
		"create:/d/new": "ok", "create:/ro/new": "EROFS", "read:/made/on/the/way/file": "ok", "write:/made/on/the/way/file": "EROFS",
		"read:/etc/passwd": "ok", "read:/typed/file": "ok",
	})
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		x.Errorf("what the container wrote is not on the host: %v", err)
	}
	r := c.Report()
	ro, _ := r.Mount("/ro")
	for _, option := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !ro.Has(option) {
			x.Errorf("/ro lacks %s: %s", option, ro.Options)
		}
	}
	// The source itself is as it was.
	x.WriteFile("source/after", "", 0o644)
}

// A relative source is relative to the bundle.
func TestBindRelativeSource(t *testing.T) {
	x := New(t)
	b := x.Bundle(Mounted("/d", "bind", "beside", "bind"), Shell("cat /d/file"))
	x.Mkdir(filepath.Join(b.Dir, "beside"))
	x.WriteFile(filepath.Join(b.Dir, "beside/file"), "beside", 0o644)
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "beside")
}

// ro stops at submounts, rro does not; and so for the other recursive options.
func TestRecursiveOptions(t *testing.T) {
	x := New(t, Root)
	dir := x.Mkdir("source")
	sub := x.Mkdir("source/sub")
	x.Must(unix.Mount("sub", sub, "tmpfs", 0, ""))
	x.Cleanup(func() { x.Must(unix.Unmount(sub, unix.MNT_DETACH)) })
	for _, one := range []struct{ options, top, below string }{
		{"rbind ro", "ro", "rw"},
		{"rbind rro", "ro", "ro"},
		{"rbind rnosuid rnodev rnoexec", "nosuid nodev noexec", "nosuid nodev noexec"},
		{"rbind rnoatime", "noatime", "noatime"},
		{"rbind rnodiratime", "nodiratime", "nodiratime"},
		{"rbind nosuid", "nosuid", "-nosuid"},
		{"rbind rstrictatime", "-relatime", "-relatime"},
		{"rbind rnosymfollow", "nosymfollow", "nosymfollow"},
		{"rbind ro nosuid rnoexec", "ro nosuid noexec", "rw -nosuid noexec"},
	} {
		x.Sub(one.options, func(y *Test) {
			if strings.Contains(one.options, "symfollow") || strings.Contains(one.options, "atime") {
				y.PeerFails("crun", "1.8.1 does not know it or asks wrongly")
			}
			r := y.Report(Mounted("/tree", "bind", dir, strings.Fields(one.options)...))
			for point, wants := range map[string]string{"/tree": one.top, "/tree/sub": one.below} {
				m, ok := r.Mount(point)
				if !ok {
					y.Fatalf("no mount at %s", point)
				}
				for want := range strings.FieldsSeq(wants) {
					if name, absent := strings.CutPrefix(want, "-"); m.Has(name) == absent && name != "rw" && name != "ro" {
						y.Errorf("%s: want %s, got %s", point, want, m.Options)
					} else if (name == "rw" || name == "ro") && !strings.HasPrefix(m.Options, name) {
						y.Errorf("%s: want %s, got %s", point, want, m.Options)
					}
				}
			}
		})
	}
	// bind without r leaves submounts out.
	r := x.Report(Mounted("/tree", "bind", dir, "bind"))
	if _, ok := r.Mount("/tree/sub"); ok {
		x.Errorf("bind took the submounts along")
	}
}

// A read-only bind mount of a file system whose flags the user may not clear
// (nosuid, nodev of the source) keeps them.
func TestReadonlyBindKeepsLockedFlags(t *testing.T) {
	x := New(t, Root)
	x.PeerFails("runc", "1.1.5 tries to clear them: operation not permitted")
	x.PeerFails("crun", "1.8.1 clears them")
	dir := x.Mkdir("source")
	x.Must(unix.Mount("locked", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	x.Cleanup(func() { x.Must(unix.Unmount(dir, unix.MNT_DETACH)) })
	b := x.Bundle(Args("/bin/probe", "report"), mapped, Mounted("/m", "bind", dir, "rbind", "ro"))
	chownRootfs(x, b)
	r := x.Foreground(b)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	m, _ := report.Mount("/m")
	for _, option := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !m.Has(option) {
			x.Errorf("/m lacks %s: %s", option, m.Options)
		}
	}
}

// tmpcopyup starts a tmpfs with what the image has there.
func TestTmpCopyUp(t *testing.T) {
	x := New(t)
	b := x.Bundle(Mounted("/etc", "tmpfs", "tmpfs", "tmpcopyup", "mode=0711"),
		Shell("cat /etc/sub/file; readlink /etc/link; stat -c %a /etc/sub/file; echo new > /etc/new && echo written"))
	x.Mkdir(b.Path("etc/sub"))
	x.WriteFile(b.Path("etc/sub/file"), "copied\n", 0o640)
	x.Must(os.Symlink("/no/such", b.Path("etc/link")))
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "copied\n/no/such\n640\nwritten\n")
	if _, err := os.Stat(b.Path("etc/new")); err == nil {
		x.Errorf("the tmpfs wrote to the image")
	}
}

// Mounts are made in the order of the config, one below the other.
func TestMountOrder(t *testing.T) {
	x := New(t)
	r := x.Report(Mounted("/a", "tmpfs", "first"), Mounted("/a/b", "tmpfs", "second"), Mounted("/a/b/c", "tmpfs", "third"),
		Mounted("/a", "tmpfs", "over"))
	var sources []string
	for _, m := range r.Mounts {
		if strings.HasPrefix(m.Point, "/a") {
			sources = append(sources, m.Source)
		}
	}
	Same(x, "mounts", sources, []string{"first", "second", "third", "over"})
}

// Missing destinations are made: directories, and a file for a file.
func TestMountDestinationsAreMade(t *testing.T) {
	x := New(t)
	file := x.WriteFile("file", "x", 0o644)
	b := x.Bundle(Mounted("/new/dir", "tmpfs", "tmpfs"), Mounted("/new2/file", "bind", file, "bind"), Shell("test -d /new/dir && test -f /new2/file"))
	x.Code(x.Foreground(b), 0)
	for path, wantDir := range map[string]bool{"new/dir": true, "new2/file": false} {
		info, err := os.Stat(b.Path(path))
		x.Must(err)
		Equal(x, path+" is a directory", info.IsDir(), wantDir)
		Equal(x, "mode of "+path, info.Mode().Perm(), map[bool]os.FileMode{true: 0o755, false: info.Mode().Perm()}[wantDir])
	}
}

// Links in the image are followed inside the root only.
func TestMountThroughLinks(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 refuses links with an absolute target")
	victim := x.Mkdir("victim")
	b := x.Bundle(Mounted("/abs/m", "tmpfs", "tmpfs"), Mounted("/rel/m", "tmpfs", "tmpfs"), Args("/bin/probe", "report"))
	x.Must(os.Symlink(victim, b.Path("abs")))
	x.Must(os.Symlink("../../../../../../../../tmp", b.Path("rel")))
	r := x.Foreground(b)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	if _, ok := report.Mount(filepath.Join(victim, "m")); !ok {
		x.Errorf("no mount at the link's target inside")
	}
	if _, ok := report.Mount("/tmp/m"); !ok {
		x.Errorf("no mount at /tmp/m inside")
	}
	entries, err := os.ReadDir(victim)
	x.Must(err)
	Equal(x, "entries in the host's directory", len(entries), 0)
}

func TestDefaultDevices(t *testing.T) {
	x := New(t)
	names := []string{"null", "zero", "full", "random", "urandom", "tty"}
	links := map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
		"/dev/stderr": "/proc/self/fd/2", "/dev/ptmx": "pts/ptmx",
	}
	args := []string{"/bin/probe", "stat"}
	for _, name := range names {
		args = append(args, "/dev/"+name)
	}
	for link := range links {
		args = append(args, link)
	}
	var stats map[string]Stat
	x.JSON(x.Output(Args(args...)), &stats)
	for i, name := range names {
		s := stats["/dev/"+name]
		want := [][2]uint32{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}}[i]
		if s.Mode != unix.S_IFCHR|0o666 || [2]uint32{s.Major, s.Minor} != want || !x.Rootless && s.UID != 0 {
			x.Errorf("/dev/%s: %+v", name, s)
		}
	}
	for link, target := range links {
		if got := strings.TrimPrefix(stats[link].Link, "/dev/"); got != target {
			x.Errorf("%s: %+v", link, stats[link])
		}
	}
	Same(x, "tried", try(x, func(*specs.Spec) {}, "put:/dev/null:x", "read:/dev/zero", "put:/dev/full:x", "read:/dev/urandom", "create:/dev/shm/x"),
		Tried{"put:/dev/null:x": "ok", "read:/dev/zero": "ok", "put:/dev/full:x": "ENOSPC", "read:/dev/urandom": "ok", "create:/dev/shm/x": "ok"})
}

// Devices of the config, with mode and owner.
func TestDevices(t *testing.T) {
	x := New(t, Root)
	var stats map[string]Stat
	x.JSON(x.Output(Args("/bin/probe", "stat", "/dev/dir/mine", "/dev/block", "/dev/pipe"), func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{
			{Path: "/dev/dir/mine", Type: "c", Major: 1, Minor: 5, FileMode: Ptr(os.FileMode(0o640)), UID: Ptr(uint32(7)), GID: Ptr(uint32(8))},
			{Path: "/dev/block", Type: "b", Major: 240, Minor: 17, FileMode: Ptr(os.FileMode(0o600))},
			{Path: "/dev/pipe", Type: "p", FileMode: Ptr(os.FileMode(0o622))},
		}
	}), &stats)
	Same(x, "/dev/dir/mine", stats["/dev/dir/mine"], Stat{Mode: unix.S_IFCHR | 0o640, UID: 7, GID: 8, Major: 1, Minor: 5})
	Same(x, "/dev/block", stats["/dev/block"], Stat{Mode: unix.S_IFBLK | 0o600, Major: 240, Minor: 17})
	Same(x, "/dev/pipe", stats["/dev/pipe"], Stat{Mode: unix.S_IFIFO | 0o622})
}

func TestMaskedAndReadonlyPaths(t *testing.T) {
	x := New(t)
	b := x.Bundle(func(s *specs.Spec) {
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/secret/file", "/secret/dir", "/no/such/path", "/secret/link")
		s.Linux.ReadonlyPaths = append(s.Linux.ReadonlyPaths, "/fixed", "/no/such/path")
	}, Args("/bin/probe", "try", "read:/secret/file", "list:/secret/dir", "create:/secret/dir/x", "write:/fixed/file", "read:/fixed/file",
		"read:/secret/other", "write:/proc/sys/kernel/hostname", "read:/proc/version"))
	x.Mkdir(b.Path("secret/dir/below"))
	x.Mkdir(b.Path("fixed"))
	x.WriteFile(b.Path("secret/file"), "secret", 0o644)
	x.WriteFile(b.Path("secret/other"), "open", 0o644)
	x.WriteFile(b.Path("fixed/file"), "fixed", 0o644)
	r := x.Foreground(b)
	x.Code(r, 0)
	var tried Tried
	x.JSON(r.Stdout, &tried)
	if x.Rootless && tried["write:/proc/sys/kernel/hostname"] == "EACCES" {
		// The file's mode is looked at first.
		tried["write:/proc/sys/kernel/hostname"] = "EROFS"
	}
	Same(x, "tried", tried, Tried{
		"read:/secret/file": "empty", "list:/secret/dir": "empty", "create:/secret/dir/x": "EROFS", "write:/fixed/file": "EROFS",
		"read:/fixed/file": "ok", "read:/secret/other": "ok", "write:/proc/sys/kernel/hostname": "EROFS",
		"read:/proc/version": "ok",
	})
}

func TestReadonlyRoot(t *testing.T) {
	x := New(t)
	tried := try(x, func(s *specs.Spec) {
		s.Root.Readonly = true
		Mounted("/writable", "tmpfs", "tmpfs")(s)
	}, "create:/x", "mkdir:/etc/x", "create:/writable/x", "create:/dev/x", "create:/dev/shm/x")
	Same(x, "tried", tried, Tried{
		"create:/x": "EROFS", "mkdir:/etc/x": "EROFS", "create:/writable/x": "ok", "create:/dev/x": "ok", "create:/dev/shm/x": "ok",
	})
}

// A mount at /dev with ro is read-only after the devices were made.
func TestReadonlyDev(t *testing.T) {
	x := New(t)
	tried := try(x, func(s *specs.Spec) {
		for i := range s.Mounts {
			if s.Mounts[i].Destination == "/dev" {
				s.Mounts[i].Options = append(s.Mounts[i].Options, "ro")
			}
		}
	}, "create:/dev/x", "put:/dev/null:x")
	Same(x, "tried", tried, Tried{"create:/dev/x": "EROFS", "put:/dev/null:x": "ok"})
}

func TestRootfsPropagation(t *testing.T) {
	for _, option := range []string{"private", "slave", "shared", "unbindable", "rprivate", "rslave", ""} {
		t.Run("is "+option, func(t *testing.T) {
			x := New(t)
			if option == "shared" || option == "unbindable" {
				x.PeerFails("runc", "1.1.5 loses it at pivot_root")
			}
			r := x.Report(func(s *specs.Spec) { s.Linux.RootfsPropagation = option })
			m, _ := r.Mount("/")
			want := map[string]string{"shared": "shared:", "unbindable": "unbindable"}[option]
			// A slave of a private parent has no peer group and shows nothing.
			if !strings.HasPrefix(m.Propagation, want) || want == "" && strings.Contains(m.Propagation, "shared") {
				x.Errorf("root mount: %q", m.Propagation)
			}
		})
	}
}

// --no-pivot for a root on a ramdisk.
func TestNoPivot(t *testing.T) {
	x := New(t)
	r := x.Foreground(x.Bundle(Shell("ls /; ls /proc/1/ > /dev/null && echo inside")), "--no-pivot")
	x.Code(r, 0)
	x.Contains("stdout", r.Stdout, "inside")
	x.ContainsNot("stdout", r.Stdout, "boot")
}

// Nothing of the host's mounts is left in the container's mount namespace.
func TestOldRootIsGone(t *testing.T) {
	x := New(t)
	r := x.Report()
	for _, m := range r.Mounts {
		if m.Point != "/" && !strings.HasPrefix(m.Point, "/proc") && !strings.HasPrefix(m.Point, "/dev") && !strings.HasPrefix(m.Point, "/sys") {
			x.Errorf("mount at %s", m.Point)
		}
	}
}

// Host mounts do not arrive in the container later, nor the other way round.
func TestMountsStayApart(t *testing.T) {
	x := New(t, Root)
	c := x.Up(func(s *specs.Spec) { withCaps("CAP_SYS_ADMIN")(s) })
	later := x.Mkdir(c.Bundle.Path("tmp/later"))
	x.Must(unix.Mount("later", later, "tmpfs", 0, ""))
	x.Cleanup(func() { x.Must(unix.Unmount(later, unix.MNT_DETACH)) })
	if _, ok := c.Report().Mount("/tmp/later"); ok {
		x.Errorf("a mount of the host arrived in the container")
	}
	x.Mkdir(c.Bundle.Path("tmp/inside"))
	c.ExecOK("/bin/mount", "-t", "tmpfs", "inside", "/tmp/inside")
	mounts, err := ReadMounts("/proc/self/mountinfo")
	x.Must(err)
	if slices.ContainsFunc(mounts, func(m Mount) bool { return strings.HasSuffix(m.Point, "tmp/inside") }) {
		x.Errorf("a mount of the container arrived on the host")
	}
}

// Nor do they out of a bind of a mount that the host shares with its other mount
// namespaces, while what the host mounts there arrives.
func TestMountsStayInside(t *testing.T) {
	for name, edit := range map[string]Edit{"root": func(*specs.Spec) {}, "mapped": mappedUsers} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Root, UserNS)
			shared := x.Mkdir("shared")
			x.Must(unix.Mount("shared", shared, "tmpfs", 0, "mode=755"))
			x.Cleanup(func() { x.Must(unix.Unmount(shared, unix.MNT_DETACH)) })
			x.Must(unix.Mount("", shared, "", unix.MS_SHARED, ""))
			inside, later := x.Mkdir("shared/inside"), x.Mkdir("shared/later")
			c := x.Up(withCaps("CAP_SYS_ADMIN"), edit, Mounted("/mnt", "bind", shared, "rbind"))
			points := []string{"/mnt"}
			if IsBerth() {
				x.OK("mounts", "add", c.ID, listFile(x, bind(shared, "/hot")))
				points = append(points, "/hot")
			}
			for _, point := range points {
				c.ExecOK("/bin/mount", "-t", "tmpfs", "inside", point+"/inside")
			}
			mounts, err := ReadMounts("/proc/self/mountinfo")
			x.Must(err)
			if slices.ContainsFunc(mounts, func(m Mount) bool { return m.Point == inside }) {
				x.Must(unix.Unmount(inside, unix.MNT_DETACH))
				x.Errorf("a mount of the container arrived on the host")
			}
			x.Must(unix.Mount("later", later, "tmpfs", 0, ""))
			r := c.Report()
			for _, point := range points {
				if m, ok := r.Mount(point); !ok || !strings.HasPrefix(m.Propagation, "master:") {
					x.Errorf("mount at %s: %+v", point, m)
				}
				if _, ok := r.Mount(point + "/later"); !ok {
					x.Errorf("a mount of the host has not arrived in %s", point)
				}
			}
		})
	}
}

func TestSysctl(t *testing.T) {
	x := New(t)
	out := x.Output(Shell("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max"), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "17"}
	})
	Equal(x, "values", out, "1\n1\n17\n")
}

// sysctl(8) takes names with slashes as well.
func TestSysctlWithSlash(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 takes dots only")
	out := x.Output(Shell("cat /proc/sys/net/ipv4/ip_forward"), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net/ipv4/ip_forward": "1"}
	})
	Equal(x, "value", out, "1\n")
}

func TestHostnameAndDomainname(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) { s.Hostname = "a-name.example" })
	Equal(x, "hostname", r.Hostname, "a-name.example")
	host, err := os.Hostname()
	x.Must(err)
	if host == r.Hostname {
		x.Errorf("the host's name changed")
	}
	x.PeerFails("runc", "1.1.5 knows no domainname")
	Equal(x, "domainname", x.Report(func(s *specs.Spec) { s.Domainname = "example.org" }).Domainname, "example.org")
}

// A cgroup mount inside shows the container's own cgroup.
// A bind with mapped owners, of which the container's user namespace has the map: what
// root owns on the host is root's in there, and not nobody's.
func TestIDMappedMount(t *testing.T) {
	x := New(t, Root, Berth)
	// Not in /tmp: before v6.3 a tmpfs has no idmapped mounts.
	source, err := os.MkdirTemp("/var/tmp", "berth-test")
	x.Must(err)
	x.Cleanup(func() { x.Must(os.RemoveAll(source)) })
	x.Must(os.Chmod(source, 0o755))
	x.WriteFile(filepath.Join(source, "f"), "", 0o644)
	b := x.Bundle(mapped, Shell("stat -c %u:%g /plain/f /mapped/f; touch /mapped/new"), func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, bind(source, "/plain"), bind(source, "/mapped", "idmap"))
	})
	chownRootfs(x, b)
	r := x.Foreground(b)
	if r.Code != 0 && strings.Contains(r.Stderr, "does its file system support it?): "+unix.EINVAL.Error()) {
		x.Skipf("needs idmapped mounts of %s: %v", source, r)
	}
	x.Code(r, 0)
	Equal(x, "owners", r.Stdout, "65534:65534\n0:0\n")
	info, err := os.Stat(filepath.Join(source, "new"))
	x.Must(err)
	Equal(x, "owner of a new file on the host", info.Sys().(*syscall.Stat_t).Uid, 0)
}

func TestCgroupMount(t *testing.T) {
	x := New(t, Cgroup("memory"))
	x.PeerFails("runc", "1.1.5 leaves the tmpfs above the hierarchies writable")
	x.PeerFails("crun", "1.8.1 leaves the tmpfs above the hierarchies writable")
	for _, private := range []bool{true, false} {
		x.Sub(fmt.Sprint("cgroup namespace ", private), func(y *Test) {
			r := y.Report(Mounted("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"), func(s *specs.Spec) {
				if private {
					With(specs.CgroupNamespace, "")(s)
				}
			})
			point := "/sys/fs/cgroup/memory"
			if Cgroups().Unified() {
				point = "/sys/fs/cgroup"
			}
			m, ok := r.Mount(point)
			if !ok || !strings.HasPrefix(m.Options, "ro") {
				y.Errorf("mount at %s: %+v", point, m)
			}
			if private {
				y.ContainsNot("/proc/self/cgroup", r.Cgroup, y.ID)
			}
			if len(Cgroups().V1) == 0 {
				return
			}
			// Co-mounted controllers have links (cpu -> cpu,cpuacct) where they are; every
			// hierarchy has a mount.
			for controller := range Cgroups().V1 {
				name := strings.TrimPrefix(controller, "name=")
				if _, ok := r.Mount("/sys/fs/cgroup/" + name); !ok {
					y.Errorf("no mount for %s", name)
				}
			}
		}, Cgroup("memory"))
	}
	tried := try(x, func(s *specs.Spec) {
		Mounted("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")(s)
	}, "mkdir:/sys/fs/cgroup/memory/x", "create:/sys/fs/cgroup/x")
	for what, got := range tried {
		if got != "EROFS" && !(Cgroups().Unified() && got == "ENOENT") {
			x.Errorf("%s: %s", what, got)
		}
	}
}

// A file system's data on a bind mount is left alone, not refused (engines send it).
func TestDataOnBindMount(t *testing.T) {
	x := New(t)
	dir := x.Mkdir("source")
	x.Code(x.Foreground(x.Bundle(Mounted("/m", "bind", dir, "rbind", "size=100m", "mode=0700"))), 0)
}

// Mount points with blanks, quotes and backslashes.
func TestMountPointWithBlanks(t *testing.T) {
	x := New(t)
	r := x.Report(Mounted(`/a dir/with "quotes" and \ back`, "tmpfs", "tmpfs"))
	if _, ok := r.Mount(`/a dir/with "quotes" and \ back`); !ok {
		x.Errorf("no such mount in %v", r.Mounts)
	}
}

// Many mounts are no problem for limits on descriptors.
func TestManyMounts(t *testing.T) {
	x := New(t)
	dir := x.Mkdir("source")
	var edits []Edit
	for i := range 300 {
		edits = append(edits, Mounted(fmt.Sprintf("/m/%d", i), "bind", dir, "rbind", "ro"))
	}
	r := x.Foreground(x.Bundle(append(edits, Shell("cat /proc/self/mounts | grep -c ' /m/'"))...))
	x.Code(r, 0)
	Equal(x, "mounts", r.Stdout, "300\n")
}
