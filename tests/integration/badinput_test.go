package integration

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// refusal is one thing a bundle or a call can be wrong in.
type refusal struct {
	name string
	// edit changes the spec, damage changes whatever else of the bundle.
	edit   Edit
	damage func(*Test, *Bundle)
	// says are regular expressions the one line on stderr matches.
	says []string
	// runc and crun say why that peer fails the case.
	runc, crun string
	needs      []Need
}

var refusals = []refusal{
	{
		name:   "config.json missing",
		damage: func(x *Test, b *Bundle) { x.Must(os.Remove(filepath.Join(b.Dir, "config.json"))) },
		says:   []string{`config\.json`, `no such file|does not exist`},
		runc:   "1.1.5 says not found",
	},
	{
		name: "config.json is a directory",
		damage: func(x *Test, b *Bundle) {
			x.Must(os.Remove(filepath.Join(b.Dir, "config.json")))
			x.Mkdir(b.Dir + "/config.json")
		},
		says: []string{`config\.json`, `is a directory`},
		runc: "1.1.5 does not name the file",
	},
	{
		name:   "config.json empty",
		damage: func(_ *Test, b *Bundle) { b.SaveRaw("") },
		says:   []string{`config\.json`},
		runc:   "1.1.5 says EOF and no more",
	},
	{
		name: "config.json cut off",
		damage: func(_ *Test, b *Bundle) {
			b.SaveRaw("{\n  \"ociVersion\": \"1.0.2\",\n  \"process\": {\n")
		},
		says: []string{`config\.json`},
		runc: "1.1.5 says unexpected EOF and no more",
	},
	{
		name: "config.json with a syntax error",
		damage: func(_ *Test, b *Bundle) {
			b.SaveRaw("{\n  \"ociVersion\": \"1.0.2\",\n  \"hostname\": oops\n}\n")
		},
		says: []string{`config\.json`, `line 3|:3\b`},
		runc: "1.1.5 names neither file nor line",
	},
	{
		name: "config.json with a wrong type",
		damage: func(_ *Test, b *Bundle) {
			b.SaveRaw(`{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": "sh"}}`)
		},
		says: []string{`config\.json`, `process\.args`, `(?i)array|list`},
		runc: "1.1.5 says it in Go's words: cannot unmarshal string into Go struct field",
	},
	{
		name:   "config.json is no object",
		damage: func(_ *Test, b *Bundle) { b.SaveRaw(`[1, 2]`) },
		says:   []string{`config\.json`, `object`},
		runc:   "1.1.5 says it in Go's words and does not name the file",
	},
	{
		name: "ociVersion malformed",
		edit: func(s *specs.Spec) { s.Version = "one.two" },
		says: []string{`ociVersion`, `one\.two`},
		runc: "1.1.5 does not look at it",
	},
	{
		name: "ociVersion empty",
		edit: func(s *specs.Spec) { s.Version = "" },
		says: []string{`ociVersion`},
		runc: "1.1.5 does not look at it",
	},
	{
		name: "ociVersion of another major",
		edit: func(s *specs.Spec) { s.Version = "2.0.0" },
		says: []string{`ociVersion`, `2\.0\.0`},
		runc: "1.1.5 does not look at it",
	},
	{
		name: "rlimits twice",
		edit: func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{
				{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 100}, {Type: "RLIMIT_NOFILE", Soft: 200, Hard: 200},
			}
		},
		says: []string{`RLIMIT_NOFILE`},
		runc: "1.1.5 takes the last one",
	},
	{
		name: "rlimit unknown",
		edit: func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOSUCH", Soft: 100, Hard: 100}}
		},
		says: []string{`RLIMIT_NOSUCH`},
	},
	{
		name: "rlimit soft above hard",
		edit: func(s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 200, Hard: 100}}
		},
		says: []string{`RLIMIT_CORE|rlimit`},
	},
	{
		name: "namespaces twice",
		edit: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
		},
		says: []string{`pid`},
		crun: "1.8.1 takes the last one",
	},
	{
		name: "namespace unknown",
		edit: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "nosuch"})
		},
		says: []string{`nosuch`},
	},
	{
		name: "namespace path missing",
		edit: With(specs.NetworkNamespace, "/no/such/netns"),
		says: []string{`/no/such/netns`, `no such file`},
	},
	{
		name: "namespace path of another kind",
		edit: With(specs.NetworkNamespace, "/proc/self/ns/ipc"),
		says: []string{`/proc/self/ns/ipc`},
		runc: "1.1.5 passes the error of setns on without the path",
	},
	{
		name: "namespace path is no namespace",
		edit: With(specs.NetworkNamespace, "/etc/passwd"),
		says: []string{`/etc/passwd`},
		runc: "1.1.5 passes the error of setns on without the path",
	},
	{
		name: "rootfs missing",
		edit: func(s *specs.Spec) { s.Root.Path = "nosuchroot" },
		says: []string{`nosuchroot`, `no such file|does not exist`},
	},
	{
		name: "rootfs is a file",
		edit: func(s *specs.Spec) { s.Root.Path = "config.json" },
		says: []string{`config\.json`, `not a directory`},
		runc: "1.1.5 leaves it to the first mount",
	},
	{
		name: "root missing",
		edit: func(s *specs.Spec) { s.Root = nil },
		says: []string{`root`},
	},
	{
		name: "args empty",
		edit: func(s *specs.Spec) { s.Process.Args = nil },
		says: []string{`args`},
	},
	{
		name: "cwd relative",
		edit: func(s *specs.Spec) { s.Process.Cwd = "tmp" },
		says: []string{`cwd|Cwd`, `absolute`},
		crun: "1.8.1 takes it as relative to the root",
	},
	{
		name: "cwd empty",
		edit: func(s *specs.Spec) { s.Process.Cwd = "" },
		says: []string{`cwd|Cwd`},
	},
	{
		name: "executable not in PATH",
		edit: Args("nosuchprogram"),
		says: []string{`exec: "nosuchprogram": executable file not found in \$PATH`},
	},
	{
		name: "executable missing",
		edit: Args("/no/such/program"),
		says: []string{`exec: "/no/such/program": stat /no/such/program: no such file or directory`},
	},
	{
		name: "executable not executable",
		edit: Args("/etc/passwd"),
		says: []string{`exec: "/etc/passwd": permission denied`},
	},
	{
		name: "executable is a directory",
		edit: Args("/etc"),
		says: []string{`exec: "/etc": (permission denied|is a directory)`},
	},
	{
		name:   "executable of another architecture",
		edit:   Args("/bin/foreign"),
		damage: func(x *Test, b *Bundle) { foreign(x, b.Path("bin/foreign")) },
		says:   []string{`/bin/foreign`, `(?i)architecture|s390`, `exec format error`},
		runc:   "1.1.5 says exec format error and no more",
	},
	{
		name:   "interpreter of a script missing",
		edit:   Args("/bin/script"),
		damage: func(x *Test, b *Bundle) { x.WriteFile(b.Path("bin/script"), "#!/no/such/interpreter -x\n", 0o755) },
		says:   []string{`/bin/script`, `/no/such/interpreter`, `no such file or directory`},
		runc:   "1.1.5 does not name the interpreter",
	},
	{
		name:   "script with CRLF",
		edit:   Args("/bin/script"),
		damage: func(x *Test, b *Bundle) { x.WriteFile(b.Path("bin/script"), "#!/bin/sh\r\necho hi\r\n", 0o755) },
		says:   []string{`/bin/script`, `(?i)CRLF|carriage return|\\r`},
		runc:   "1.1.5 says no such file or directory and no more",
	},
	{
		name:   "interpreter of a program missing",
		edit:   Args("/bin/dynamic"),
		damage: func(x *Test, b *Bundle) { dynamic(x, b.Path("bin/dynamic")) },
		says:   []string{`/bin/dynamic`, `/no/such/ld\.so`, `no such file or directory`},
		runc:   "1.1.5 does not name the interpreter",
	},
	{
		name:   "executable without content",
		edit:   Args("/bin/empty"),
		damage: func(x *Test, b *Bundle) { x.WriteFile(b.Path("bin/empty"), "", 0o755) },
		says:   []string{`/bin/empty`, `exec format error`},
	},
	{
		name: "mount source missing",
		edit: Mounted("/mnt", "bind", "/no/such/source", "rbind"),
		says: []string{`/no/such/source`, `no such file or directory`},
	},
	{
		name: "mount of a directory on a file",
		edit: Mounted("/etc/passwd", "bind", "/tmp", "rbind"),
		says: []string{`/tmp`, `/etc/passwd`, `not a directory`},
	},
	{
		name: "mount type unknown",
		edit: Mounted("/mnt", "nosuchfs", "none"),
		says: []string{`nosuchfs`, `/mnt`, `no such device`},
		runc: "1.1.5 does not name the type",
	},
	{
		name: "mount destination with ..",
		// Resolved inside the root, so it is no error; the mount must not leave it.
		edit: Mounted("/../../mnt", "tmpfs", "tmpfs"),
		says: nil,
	},
	{
		name: "sysctl unknown",
		edit: func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.ipv4.no_such_thing": "1"} },
		says: []string{`no_such_thing`},
	},
	{
		name: "sysctl outside of namespaces",
		edit: func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"vm.swappiness": "1"} },
		says: []string{`vm[./]swappiness`},
	},
	{
		name: "sysctl of a shared namespace",
		edit: func(s *specs.Spec) {
			Without(specs.NetworkNamespace)(s)
			s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		},
		says: []string{`net[./]ipv4[./]ip_forward`},
	},
	{
		name: "hostname without a uts namespace",
		edit: Without(specs.UTSNamespace),
		says: []string{`hostname`, `(?i)uts`},
	},
	{
		name:  "cgroup controller absent",
		edit:  func(s *specs.Spec) { s.Linux.Resources.Network = &specs.LinuxNetwork{ClassID: Ptr(uint32(0x10001))} },
		says:  []string{`net_cls`},
		crun:  "1.8.1 leaves the cgroups",
		needs: []Need{Cgroup(), V1, Kernel("a host without net_cls", func() bool { return !Cgroups().Has("net_cls") })},
	},
	{
		name:  "memory limit of no bytes",
		edit:  func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: Ptr(int64(1))} },
		says:  []string{`memory`},
		needs: []Need{Cgroup("memory"), Berth},
	},
	{
		name:  "cpu quota too small",
		edit:  func(s *specs.Spec) { s.Linux.Resources.CPU = &specs.LinuxCPU{Quota: Ptr(int64(1))} },
		says:  []string{`cpu\.cfs_quota_us|cpu\.max`, `invalid argument`},
		crun:  "1.8.1 leaves the cgroups",
		needs: []Need{Cgroup("cpu")},
	},
	{
		name:  "cpuset of no such cpu",
		edit:  func(s *specs.Spec) { s.Linux.Resources.CPU = &specs.LinuxCPU{Cpus: "4000-4001"} },
		says:  []string{`cpuset\.cpus`, `4000-4001`},
		crun:  "1.8.1 leaves the cgroups",
		needs: []Need{Cgroup("cpuset")},
	},
	{
		name: "capability unknown",
		// A warning, not an error: the specification says SHOULD NOT fail.
		edit: func(s *specs.Spec) {
			s.Process.Capabilities.Bounding = append([]string{"CAP_NOSUCH"}, s.Process.Capabilities.Bounding...)
		},
		says: nil,
	},
	{
		name: "propagation unknown",
		edit: func(s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" },
		says: []string{`sideways`},
		crun: "1.8.1 ignores it",
	},
	{
		name: "seccomp action unknown",
		edit: func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_NOSUCH"} },
		says: []string{`SCMP_ACT_NOSUCH`},
	},
	{
		name: "apparmor profile without AppArmor",
		edit: func(s *specs.Spec) { s.Process.ApparmorProfile = "nosuchprofile" },
		says: []string{`(?i)apparmor`},
		needs: []Need{Kernel("a host without AppArmor", func() bool {
			_, err := os.Stat("/sys/kernel/security/apparmor")
			return err != nil
		})},
	},
	{
		name: "selinux label without SELinux",
		edit: func(s *specs.Spec) { s.Process.SelinuxLabel = "system_u:system_r:container_t:s0" },
		says: []string{`(?i)selinux`},
		needs: []Need{Kernel("a host without SELinux", func() bool {
			_, err := os.Stat("/sys/fs/selinux/enforce")
			return err != nil
		})},
	},
	{
		name: "root path is a symbolic link",
		damage: func(x *Test, b *Bundle) {
			x.Must(os.Rename(b.Rootfs, b.Rootfs+".real"))
			x.Must(os.Symlink("rootfs.real", b.Rootfs))
		},
		says: []string{`rootfs`},
		crun: "1.8.1 follows it",
	},
}

// Each gets exit status 1 and one clear sentence, and leaves nothing on the host;
// by run and, where the start is not needed to see it, by create.
func TestBadInput(t *testing.T) {
	for _, c := range refusals {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			x := New(t, c.needs...)
			if x.Rootless && strings.Contains(c.name, "cgroup") {
				t.Skip("needs root for cgroups")
			}
			if c.runc != "" {
				x.PeerFails("runc", c.runc)
			}
			if c.crun != "" {
				x.PeerFails("crun", c.crun)
			}
			b := x.Bundle()
			if c.edit != nil {
				b.Save(c.edit)
			}
			if c.damage != nil {
				c.damage(x, b)
			}
			r := x.Foreground(b)
			if c.says == nil {
				x.Code(r, 0)
			} else {
				x.Refused(r, 1, c.says...)
			}
			x.NothingLeft()
		})
	}
}

// foreign writes a program header of an architecture that this machine is not.
func foreign(x *Test, path string) {
	header := make([]byte, 120)
	copy(header, "\x7fELF\x02\x02\x01")
	binary.BigEndian.PutUint16(header[16:], 2)  // ET_EXEC
	binary.BigEndian.PutUint16(header[18:], 22) // EM_S390
	binary.BigEndian.PutUint32(header[20:], 1)
	x.WriteFile(path, string(header), 0o755)
}

// dynamic writes a program of this architecture whose PT_INTERP does not exist.
func dynamic(x *Test, path string) {
	data, err := os.ReadFile(Busybox())
	x.Must(err)
	const interpreter = "/no/such/ld.so\x00"
	order := binary.LittleEndian
	table, size, count := order.Uint64(data[32:]), order.Uint16(data[54:]), order.Uint16(data[56:])
	// The first header that is no PT_LOAD makes room for PT_INTERP; the path goes to the end.
	for i := range count {
		at := table + uint64(i)*uint64(size)
		if order.Uint32(data[at:]) == 1 {
			continue
		}
		order.PutUint32(data[at:], 3)
		order.PutUint64(data[at+8:], uint64(len(data)))
		order.PutUint64(data[at+32:], uint64(len(interpreter)))
		break
	}
	x.WriteFile(path, string(data)+interpreter, 0o755)
}

func TestBadIDs(t *testing.T) {
	x := New(t, Not("crun", "1.8.1 takes nearly anything, and its delete --force .. removes the parent directory"))
	b := x.Bundle()
	for name, id := range map[string]string{
		"empty": "", "dot": ".", "dots": "..", "slash": "a/b", "parent": "../escape", "absolute": "/abs",
		"too long": strings.Repeat("x", 2000), "newline": "a\nb", "space": "a b", "letter": "ä", "star": "*",
	} {
		x.Sub(name, func(y *Test) {
			if name == "too long" {
				y.PeerFails("runc", "1.1.5 leaves the length to mkdir: file name too long")
			}
			before := listing(y, x.Dir)
			y.Refused(x.Do("create", "--bundle", b.Dir, "--", id), 1, `(?i)container id|invalid id|\bid\b`)
			Equal(y, "files of the bundle and the state directory", listing(y, x.Dir), before)
			for _, verb := range []string{"state", "start", "kill", "delete"} {
				y.Refused(x.Do(verb, "--", id), 1)
			}
			Equal(y, "files after the other verbs", listing(y, x.Dir), before)
		}, Serial)
	}
}

// listing names all directories below dir and the files of the state root.
func listing(x *Test, dir string) string {
	var names []string
	x.Must(filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || strings.Contains(path, "/state/")) {
			names = append(names, path)
		}
		return nil
	}))
	return strings.Join(names, "\n")
}

func TestGoodIDs(t *testing.T) {
	x := New(t)
	for _, id := range []string{"a", "A.b-c_d+e", "0", "-dash", "x" + strings.Repeat("y", 60)} {
		x.Sub(id, func(y *Test) {
			full := y.ID + id
			if id == "-dash" {
				full = id + y.ID
			}
			r := y.Do("run", "--bundle", y.BundleFor(y.ID+id).Dir, "--", full)
			y.Code(r, 0)
			y.NothingLeft()
		})
	}
}

// Unknown verbs and flags, and missing or superfluous arguments, are errors, too.
func TestBadCalls(t *testing.T) {
	x := New(t)
	b := x.Bundle()
	for name, args := range map[string][]string{
		"unknown verb":         {"nosuchverb"},
		"unknown flag":         {"state", "--nosuchflag", x.ID},
		"unknown global flag":  {"--nosuchflag", "list"},
		"no id":                {"create", "--bundle", b.Dir},
		"two ids":              {"create", "--bundle", b.Dir, x.ID, "another"},
		"state without id":     {"state"},
		"kill without id":      {"kill"},
		"exec without command": {"exec", x.ID},
		"list format":          {"list", "--format", "nosuch"},
		"log format":           {"--log-format", "nosuch", "list"},
		"flag without value":   {"create", "--bundle"},
		"bundle missing":       {"create", "--bundle", "/no/such/bundle", x.ID},
		"preserve-fds":         {"create", "--bundle", b.Dir, "--preserve-fds", "none", x.ID},
		"preserve-fds closed":  {"run", "--bundle", b.Dir, "--preserve-fds", "3", x.ID},
	} {
		x.Sub(name, func(y *Test) {
			switch name {
			case "preserve-fds":
				y.PeerFails("crun", "1.8.1 ignores it and creates the container")
			case "preserve-fds closed":
				y.PeerFails("crun", "1.8.1 does not look at times")
				y.PeerFails("runc", "1.1.5 looks for them in a process that has descriptors of its own there")
			}
			r := x.Do(args...)
			if r.Code == 0 {
				y.Errorf("%v: want an error", r)
			}
			if r.Stderr == "" && (IsBerth() || r.Stdout == "") {
				y.Errorf("%v: want a message on stderr", r)
			}
			if IsBerth() && len(r.Lines()) != 1 {
				y.Errorf("%v: want one line on stderr", r)
			}
			if name == "bundle missing" {
				y.Refused(r, 1, "/no/such/bundle")
			}
			if r.Code == 0 {
				x.Do("delete", "--force", x.ID)
			}
		}, Serial)
	}
	x.NothingLeft()
}

// An unknown field is ignored, as the specification says, and named with --debug.
func TestUnknownField(t *testing.T) {
	x := New(t)
	b := x.Bundle(Shell("echo hello"))
	text := strings.Replace(x.ReadFile(b.Dir+"/config.json"), "{", "{\n\t\"noSuchField\": {\"a\": [1]},", 1)
	b.SaveRaw(text)
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "hello\n")
	Equal(x, "stderr", r.Stderr, "")
	if !IsBerth() {
		return
	}
	cmd := x.RunCmd(b)
	cmd.Globals = []string{"--debug"}
	r = cmd.Run()
	x.Code(r, 0)
	x.Contains("stderr with --debug", r.Stderr, "noSuchField")
}

// A newer minor version of the specification is not an error.
func TestNewerMinorVersion(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 knows no versions above 1.0")
	for _, version := range []string{"1.0.0", "1.0.2-dev", "1.1.0", "1.3.0", "1.99.0"} {
		x.Code(x.Foreground(x.Bundle(func(s *specs.Spec) { s.Version = version })), 0)
	}
}

// Of several faults at least one is named, and a create refused leaves the id free.
func TestIDIsFreeAfterRefusal(t *testing.T) {
	x := New(t)
	b := x.Bundle(Mounted("/mnt", "bind", "/no/such/source", "rbind"))
	x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, "/no/such/source")
	x.NothingLeft()
	b.Save(func(s *specs.Spec) { s.Mounts = s.Mounts[:len(s.Mounts)-1] })
	x.Create(b)
}

// The same for exec: errors of the command, with 255.
func TestBadExec(t *testing.T) {
	x := New(t)
	c := x.Up()
	foreign(x, c.Bundle.Path("bin/foreign"))
	x.WriteFile(c.Bundle.Path("bin/script"), "#!/no/such/interpreter\n", 0o755)
	for _, one := range []struct{ name, command, says, runc string }{
		{"not in PATH", "nosuchprogram", `exec: "nosuchprogram": executable file not found in \$PATH`, ""},
		{"missing", "/no/such/program", `exec: "/no/such/program": stat /no/such/program: no such file or directory`, ""},
		{"not executable", "/etc/passwd", `exec: "/etc/passwd": permission denied`, ""},
		{"other architecture", "/bin/foreign", `/bin/foreign.*exec format error`, "1.1.5 has no way back once it called execve: status 1, with --detach 0"},
		{"interpreter", "/bin/script", `/bin/script.*no such file or directory`, "1.1.5 has no way back once it called execve: status 1, with --detach 0"},
	} {
		for _, detach := range []bool{false, true} {
			x.Sub(fmt.Sprint(one.name, " detach=", detach), func(y *Test) {
				if one.runc != "" {
					y.PeerFails("runc", one.runc)
					y.PeerFails("crun", "1.8.1 has no way back either")
				}
				var flags []string
				if detach {
					flags = []string{"--detach", "--pid-file", filepath.Join(y.Dir, "pid")}
				}
				y.Refused(c.ExecCmd(flags, one.command).Run(), 255, one.says)
			}, Serial)
		}
	}
	x.Sub("process file missing", func(y *Test) {
		r := x.Do("exec", "--process", "/no/such/process.json", c.ID)
		if r.Code == 0 {
			y.Errorf("%v: want an error", r)
		}
		y.Contains("stderr", strings.ToLower(r.Stderr), "no such file")
	}, Serial)
	x.Sub("process file broken", func(y *Test) {
		y.Refused(x.Do("exec", "--process", y.WriteFile("p.json", "{\n\"args\": 1}", 0o644), c.ID), 255)
	}, Serial)
	// The container is as it was.
	Equal(x, "status", c.State().Status, "running")
}
