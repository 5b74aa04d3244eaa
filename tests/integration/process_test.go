package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// withCaps adds capabilities to bounding, effective and permitted.
func withCaps(names ...string) Edit {
	return func(s *specs.Spec) {
		c := s.Process.Capabilities
		c.Bounding = append(slices.Clip(c.Bounding), names...)
		c.Effective = append(slices.Clip(c.Effective), names...)
		c.Permitted = append(slices.Clip(c.Permitted), names...)
	}
}

func user(uid, gid uint32, groups ...uint32) Edit {
	return func(s *specs.Spec) { s.Process.User = specs.User{UID: uid, GID: gid, AdditionalGids: groups} }
}

// capBits turns numbers of capabilities into the form of /proc/PID/status.
func capBits(numbers ...uint) string {
	var set uint64
	for _, n := range numbers {
		set |= 1 << n
	}
	return fmt.Sprintf("%016x", set)
}

const (
	capChown, capKill, capNetBind, capNetRaw = 0, 5, 10, 13
)

// The five sets, for root and for another user.
func TestCapabilities(t *testing.T) {
	names := func(list ...string) []string { return list }
	for _, one := range []struct {
		name string
		caps specs.LinuxCapabilities
		uid  uint32
		want map[string]string
	}{
		{
			"root, three sets", specs.LinuxCapabilities{
				Bounding: names("CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"), Permitted: names("CAP_CHOWN", "CAP_KILL"), Effective: names("CAP_CHOWN", "CAP_KILL"),
			}, 0,
			// execve gives uid 0 what the bounding set has.
			map[string]string{"CapInh": capBits(), "CapPrm": capBits(0, 5, 13), "CapEff": capBits(0, 5, 13), "CapBnd": capBits(0, 5, 13), "CapAmb": capBits()},
		},
		{
			"root, none", specs.LinuxCapabilities{}, 0,
			map[string]string{"CapInh": capBits(), "CapPrm": capBits(), "CapEff": capBits(), "CapBnd": capBits(), "CapAmb": capBits()},
		},
		{
			"user, bounding only", specs.LinuxCapabilities{Bounding: names("CAP_CHOWN", "CAP_KILL"), Permitted: names("CAP_KILL"), Effective: names("CAP_KILL")}, 1000,
			map[string]string{"CapInh": capBits(), "CapPrm": capBits(), "CapEff": capBits(), "CapBnd": capBits(0, 5), "CapAmb": capBits()},
		},
		{
			"user, ambient", specs.LinuxCapabilities{
				Bounding: names("CAP_NET_BIND_SERVICE", "CAP_KILL"), Permitted: names("CAP_NET_BIND_SERVICE", "CAP_KILL"),
				Inheritable: names("CAP_NET_BIND_SERVICE"), Ambient: names("CAP_NET_BIND_SERVICE"),
			}, 1000,
			map[string]string{"CapInh": capBits(10), "CapPrm": capBits(10), "CapEff": capBits(10), "CapBnd": capBits(5, 10), "CapAmb": capBits(10)},
		},
	} {
		t.Run(one.name, func(t *testing.T) {
			x := New(t, IDs)
			r := x.Report(user(one.uid, one.uid), func(s *specs.Spec) { s.Process.Capabilities = &one.caps })
			got := map[string]string{}
			for set := range one.want {
				got[set] = r.Status[set]
			}
			Same(x, "sets", got, one.want)
		})
	}
}

// Without a capabilities object the process has none.
func TestNoCapabilities(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) { s.Process.Capabilities = nil })
	Equal(x, "CapEff", r.Status["CapEff"], capBits())
	Equal(x, "CapBnd", r.Status["CapBnd"], capBits())
}

// A capability that cannot be granted is a warning, no error: the rest is as wanted.
func TestUngrantableCapability(t *testing.T) {
	x := New(t, Kernel("a caller that lacks CAP_SYS_RESOURCE", func() bool {
		text, err := os.ReadFile("/proc/self/status")
		return err == nil && !strings.Contains(string(text), "CapBnd:\t000001ffffffffff")
	}))
	x.PeerFails("runc", "1.1.5 fails")
	x.PeerFails("crun", "1.8.1 fails")
	r := x.Report(withCaps("CAP_SYS_RESOURCE"), func(s *specs.Spec) { s.Process.User.UID = 0 })
	if r.Status["CapEff"] == capBits() {
		x.Errorf("no capabilities at all")
	}
}

// exec has the capabilities of the container; --cap adds, and never to inheritable
// (CVE-2022-29162).
func TestExecCapabilities(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 replaces instead of adding")
	c := x.Up(func(s *specs.Spec) {
		list := []string{"CAP_KILL", "CAP_CHOWN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
	})
	r := c.Report()
	Equal(x, "CapEff", r.Status["CapEff"], capBits(0, 5))
	Equal(x, "CapInh", r.Status["CapInh"], capBits())
	r = c.Report("--cap", "CAP_NET_RAW", "--cap", "CAP_NET_ADMIN")
	Equal(x, "CapEff with --cap", r.Status["CapEff"], capBits(0, 5, 12, 13))
	Equal(x, "CapInh with --cap", r.Status["CapInh"], capBits())
	Equal(x, "CapAmb with --cap", r.Status["CapAmb"], capBits())
}

func TestNoNewPrivileges(t *testing.T) {
	x := New(t)
	Equal(x, "off", x.Report().Status["NoNewPrivs"], "0")
	Equal(x, "on", x.Report(func(s *specs.Spec) { s.Process.NoNewPrivileges = true }).Status["NoNewPrivs"], "1")
	c := x.UpAs(x.NewID())
	Equal(x, "exec", c.Report().Status["NoNewPrivs"], "0")
	Equal(x, "exec --no-new-privs", c.Report("--no-new-privs").Status["NoNewPrivs"], "1")
}

func TestUser(t *testing.T) {
	x := New(t, IDs)
	r := x.Report(user(1000, 1001, 5, 6, 7))
	Equal(x, "uid", fmt.Sprint(r.UID, r.EUID), "1000 1000")
	Equal(x, "gid", fmt.Sprint(r.GID, r.EGID), "1001 1001")
	groups := slices.DeleteFunc(slices.Clone(r.Groups), func(g int) bool { return g == 1001 })
	slices.Sort(groups)
	Same(x, "groups", groups, []int{5, 6, 7})
	// None means none, not the caller's.
	r = x.Report(user(1234, 4321))
	if len(slices.DeleteFunc(r.Groups, func(g int) bool { return g == 4321 })) != 0 {
		x.Errorf("groups: %v", r.Groups)
	}
}

// exec --user takes a number for one, also if a user is called so (CVE-2016-3697,
// crun CVE-2026-30892).
func TestExecUser(t *testing.T) {
	x := New(t, IDs)
	c := x.Up()
	x.WriteFile(c.Bundle.Path("etc/passwd"), "root:x:0:0::/:\n1000:x:0:0::/:\nworker:x:0:0::/:\n", 0o644)
	for arg, want := range map[string]string{"1000": "1000 0", "1000:1001": "1000 1001", "0": "0 0", "4294967294:5": "4294967294 5"} {
		x.Sub("user "+arg, func(y *Test) {
			if strings.HasPrefix(arg, "4") {
				if x.Rootless {
					y.Skip("needs root: a range has not all ids")
				}
				y.PeerFails("runc", "1.1.5 allows ids up to 2147483647")
			}
			r := c.ExecCmd([]string{"--user", arg}, "/bin/probe", "report").Run()
			y.Code(r, 0)
			var report Report
			y.JSON(r.Stdout, &report)
			Equal(y, "uid and gid", fmt.Sprint(uint32(report.UID), " ", uint32(report.GID)), want)
		}, Serial)
	}
	for _, arg := range []string{"nobodyknows", "1:", ":1", "0x1", "-1", "4294967296", "1:x", "1:2:3", "1 ", "99999999999999999999"} {
		x.Sub("user "+arg, func(y *Test) {
			y.PeerFails("crun", "1.8.1 takes what strtol makes of some of them")
			if arg == "4294967296" {
				y.PeerFails("runc", "1.1.5 lets it through as 0 (the kernel takes 32 bits)")
			}
			r := c.ExecCmd([]string{"--user=" + arg}, "/bin/true").Run()
			if r.Code == 0 {
				y.Errorf("%v: want an error", r)
			}
			if IsBerth() {
				y.Refused(r, r.Code, "user")
			}
		}, Serial)
	}
	x.PeerFails("crun", "1.8.1 has no --additional-gids")
	r := c.Report("--user", "1000:1000", "--additional-gids", "10", "--additional-gids", "11")
	groups := slices.DeleteFunc(slices.Clone(r.Groups), func(g int) bool { return g == 1000 })
	slices.Sort(groups)
	Same(x, "groups", groups, []int{10, 11})
}

func TestRlimits(t *testing.T) {
	x := New(t)
	out := x.Output(Shell("cat /proc/self/limits"), func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{
			{Type: "RLIMIT_NOFILE", Soft: 300, Hard: 400},
			{Type: "RLIMIT_CORE", Soft: 0, Hard: 12345},
			{Type: "RLIMIT_AS", Soft: 1 << 30, Hard: 1 << 30},
			{Type: "RLIMIT_STACK", Soft: 1 << 20, Hard: 2 << 20},
			{Type: "RLIMIT_MSGQUEUE", Soft: 1000, Hard: 2000},
		}
	})
	text := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{
		"Max open files 300 400", "Max core file size 0 12345", "Max address space 1073741824 1073741824",
		"Max stack size 1048576 2097152", "Max msgqueue size 1000 2000",
	} {
		x.Contains("limits", text, want)
	}
}

// A tight address space is the container's, not the runtime's.
func TestTightAddressSpace(t *testing.T) {
	x := New(t)
	r := x.Foreground(x.Bundle(func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_AS", Soft: 16 << 20, Hard: 16 << 20}}
	}))
	x.Code(r, 0)
}

// Limits the config does not name are the caller's: NOFILE is not what the
// runtime's own language made of it.
func TestRlimitsAreTheCallers(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "built with Go 1.19, which raises the soft limit and does not restore it")
	cmd := x.RunCmd(x.Bundle(Shell("ulimit -Sn; ulimit -Hn")))
	// The suite is a Go program as well: a shell sets the limits.
	cmd.Path, cmd.Args = Busybox(), append([]string{"sh", "-c", `ulimit -Sn 1000; ulimit -Hn 5000; exec "$0" "$@"`, Runtime(), "--root", x.Root}, cmd.Args...)
	r := cmd.Run()
	x.Code(r, 0)
	Equal(x, "NOFILE", r.Stdout, "1000\n5000\n")
}

func TestOOMScoreAdj(t *testing.T) {
	x := New(t)
	Equal(x, "set", x.Report(func(s *specs.Spec) { s.Process.OOMScoreAdj = Ptr(111) }).OOMScoreAdj, "111")
	// Unset is the caller's.
	Equal(x, "not set", x.Report().OOMScoreAdj, strings.TrimSpace(x.ReadFile("/proc/self/oom_score_adj")))
	x.PeerFails("crun", "1.8.1 gives an exec the caller's")
	c := x.UpAs(x.NewID(), func(s *specs.Spec) { s.Process.OOMScoreAdj = Ptr(99) })
	Equal(x, "exec", c.Report().OOMScoreAdj, "99")
}

func TestUmask(t *testing.T) {
	x := New(t)
	Equal(x, "set", x.Report(func(s *specs.Spec) { s.Process.User.Umask = Ptr(uint32(0o027)) }).Status["Umask"], "0027")
	x.PeerFails("runc", "1.1.5 gives an exec none")
	x.PeerFails("crun", "1.8.1 gives an exec none")
	c := x.UpAs(x.NewID(), func(s *specs.Spec) { s.Process.User.Umask = Ptr(uint32(0o077)) })
	Equal(x, "exec", c.Report().Status["Umask"], "0077")
	// The default is 0022 whatever the caller has, and the caller's does not spoil the
	// modes of what the runtime makes.
	cmd := x.RunCmd(x.Bundle(Shell("umask; stat -c %a /dev/null /made/here"), Mounted("/made/here", "tmpfs", "tmpfs")))
	cmd.Path, cmd.Args = Busybox(), append([]string{"sh", "-c", `umask 0777; exec "$0" "$@"`, Runtime(), "--root", x.Root}, cmd.Args...)
	cmd.Stdout, cmd.Stderr = nil, nil
	if !x.Rootless {
		r := cmd.Run()
		x.Code(r, 0)
		x.Contains("umask and modes", r.Stdout, "0022\n666\n")
	}
}

func TestCwd(t *testing.T) {
	x := New(t)
	cwd := func(path string) Edit { return func(s *specs.Spec) { s.Process.Cwd = path } }
	Equal(x, "cwd", x.Report(cwd("/tmp")).Cwd, "/tmp")
	b := x.Bundle(cwd("/made/when/missing"), Shell("pwd"))
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "cwd that was missing", r.Stdout, "/made/when/missing\n")
	// Through a link inside the root.
	b = x.Bundle(cwd("/link"), Args("/bin/probe", "report"))
	x.Must(os.Symlink("/etc", b.Path("link")))
	r = x.Foreground(b)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	Equal(x, "cwd through a link", report.Cwd, "/etc")
	// A file is no directory.
	x.Refused(x.Foreground(x.Bundle(cwd("/etc/passwd"))), 1, "/etc/passwd", "not a directory")
	x.NothingLeft()

	x.PeerFails("crun", "1.8.1 starts an exec in /")
	c := x.UpAs(x.NewID(), cwd("/home"))
	Equal(x, "cwd of exec", c.Report().Cwd, "/home")
	Equal(x, "exec --cwd", c.Report("--cwd", "/tmp").Cwd, "/tmp")
}

// The working directory is entered with the user's rights, or the runtime's where
// only those suffice.
func TestCwdOfUser(t *testing.T) {
	x := New(t, Root)
	b := x.Bundle(user(1000, 1000), func(s *specs.Spec) { s.Process.Cwd = "/private" }, Shell("pwd"))
	x.Mkdir(b.Path("private"))
	x.Must(os.Chmod(b.Path("private"), 0o700))
	x.Must(os.Chown(b.Path("private"), 1000, 1000))
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "/private\n")
}

func TestArgsAndEnv(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/probe", "report", "", "a b", "ü", "$HOME", "line\nbreak"}
		s.Process.Env = []string{"PATH=/bin", "EMPTY=", "TWO=a=b", "U=ü", "HOME=/x"}
	})
	Same(x, "args", r.Args, []string{"/bin/probe", "report", "", "a b", "ü", "$HOME", "line\nbreak"})
	Same(x, "env", r.Env, []string{"PATH=/bin", "EMPTY=", "TWO=a=b", "U=ü", "HOME=/x"})
}

// HOME comes from the container's passwd where the config does not say; PATH for
// the search is the container's own.
func TestHomeAndPath(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin"} })
	if !slices.Contains(r.Env, "HOME=/root") {
		x.Errorf("env: %v", r.Env)
	}
	x.Sub("empty", func(y *Test) {
		y.PeerFails("crun", "1.8.1 leaves it empty")
		r := y.Report(func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin", "HOME=", "LAST="} })
		Same(y, "env", r.Env, []string{"PATH=/bin", "HOME=/root", "LAST="})
	})
	b := x.Bundle(Args("tool"), func(s *specs.Spec) { s.Process.Env = []string{"PATH=/nowhere:/opt/tools"} })
	x.Mkdir(b.Path("opt/tools"))
	x.WriteFile(b.Path("opt/tools/tool"), "#!/bin/sh\necho found\n", 0o755)
	got := x.Foreground(b)
	x.Code(got, 0)
	Equal(x, "stdout", got.Stdout, "found\n")
}

// A large environment and many arguments pass (CVE-2021-43784 was a length that
// did not fit).
func TestLargeArgsAndEnv(t *testing.T) {
	x := New(t)
	args := []string{"/bin/sh", "-c", `echo $# ${#BIG}`}
	for i := range 5000 {
		args = append(args, fmt.Sprint("argument-number-", i))
	}
	out := x.Output(Args(args...), func(s *specs.Spec) {
		s.Process.Env = append(s.Process.Env, "BIG="+strings.Repeat("x", 100_000))
	})
	Equal(x, "stdout", out, "4999 100000\n")
}

func TestExecProcessFile(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "1.1.5 ignores oomScoreAdj of exec")
	x.PeerFails("crun", "1.8.1 ignores oomScoreAdj of exec")
	c := x.Up()
	file := x.WriteFile("process.json", `{
		"terminal": false, "cwd": "/tmp", "args": ["/bin/probe", "report"],
		"env": ["PATH=/bin", "FROM=file"], "user": {"uid": 0, "gid": 0},
		"capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
		"noNewPrivileges": true, "oomScoreAdj": 321,
		"rlimits": [{"type": "RLIMIT_CORE", "soft": 1, "hard": 2}]
	}`, 0o644)
	r := x.Do("exec", "--process", file, c.ID)
	x.Code(r, 0)
	var report Report
	x.JSON(r.Stdout, &report)
	Equal(x, "cwd", report.Cwd, "/tmp")
	Equal(x, "CapEff", report.Status["CapEff"], capBits(capKill))
	Equal(x, "NoNewPrivs", report.Status["NoNewPrivs"], "1")
	Equal(x, "oom_score_adj", report.OOMScoreAdj, "321")
	if !slices.Contains(report.Env, "FROM=file") {
		x.Errorf("env: %v", report.Env)
	}
	x.Code(x.Do("exec", "-p", file, "--detach", "--pid-file", x.Dir+"/pid", c.ID), 0)
}

func TestExecFlags(t *testing.T) {
	x := New(t)
	x.PeerFails("crun", "1.8.1 drops the container's environment with -e")
	c := x.Up(func(s *specs.Spec) { s.Process.Env = []string{"PATH=/bin", "A=container", "B=container"} })
	r := c.ExecCmd([]string{"--env", "A=exec", "--env", "C=new", "--cwd", "/tmp"}, "/bin/sh", "-c", "echo $A $B $C $PWD").Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "exec container new /tmp\n")
	// What looks like a flag after the id is the command's.
	Equal(x, "stdout", c.ExecOK("/bin/echo", "--env", "-t", "--", "-x"), "--env -t -- -x\n")
	Equal(x, "PATH search", c.ExecOK("echo", "found"), "found\n")
}

// Both forms of a flag mix.
func TestLongAndShortFlag(t *testing.T) {
	x := New(t)
	x.PeerFails("runc", "its flag package refuses two forms of the same flag")
	c := x.Up()
	r := c.ExecCmd([]string{"--env", "A=one", "-e", "B=two"}, "/bin/sh", "-c", "echo $A $B").Run()
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "one two\n")
}

// Many execs at once, and a dozen after another, leave the container as it is.
func TestManyExecs(t *testing.T) {
	x := New(t)
	c := x.Up()
	var procs []*Proc
	for i := range 12 {
		procs = append(procs, c.ExecCmd(nil, "/bin/echo", fmt.Sprint(i)).Start())
	}
	for i, p := range procs {
		r := p.Wait()
		x.Code(r, 0)
		Equal(x, "stdout", r.Stdout, fmt.Sprintln(i))
	}
	Equal(x, "status", c.State().Status, "running")
}

// The init is a session leader of its own, and its parent is outside.
func TestSession(t *testing.T) {
	x := New(t)
	r := x.Report()
	Equal(x, "sid", r.Sid, 1)
	Equal(x, "pgid", r.Pgid, 1)
	Equal(x, "ppid", r.PPid, 0)
}

// Signals that the caller ignores or blocks are not passed on to the workload.
func TestSignalDispositions(t *testing.T) {
	x := New(t)
	cmd := x.RunCmd(x.Bundle(Shell("cat /proc/self/status")))
	cmd.Path, cmd.Args = Busybox(), append([]string{"sh", "-c", `trap "" HUP USR1; exec "$0" "$@"`, Runtime(), "--root", x.Root}, cmd.Args...)
	r := cmd.Run()
	x.Code(r, 0)
	for line := range strings.Lines(r.Stdout) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if name == "SigBlk" {
			Equal(x, name, value, "0000000000000000")
		}
	}
}

func TestPersonality(t *testing.T) {
	x := New(t)
	r := x.Report(func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} })
	x.PeerFails("runc", "1.1.5 does not know it")
	Equal(x, "personality", r.Personality&0xff, 8)
}

func TestSchedulerAndIOPriority(t *testing.T) {
	x := New(t, Berth)
	r := x.Report(func(s *specs.Spec) {
		s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 19}
		s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 6}
	})
	Equal(x, "policy", r.Policy, 3)
	Equal(x, "nice", r.Nice, 19)
	Equal(x, "io priority", r.IOPrio, 2<<13|6)
}
