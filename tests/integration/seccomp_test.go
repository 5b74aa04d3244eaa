package integration

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// seccomp sets a profile that allows all but the given rules.
func seccomp(rules ...specs.LinuxSyscall) Edit {
	return func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: rules}
	}
}

func rule(action specs.LinuxSeccompAction, names ...string) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: action}
}

// needSeccomp needs a runtime built with it.
var needSeccomp = Kernel("a runtime with seccomp", func() bool { return os.Getenv("BERTH_NO_SECCOMP") == "" })

func TestSeccompErrno(t *testing.T) {
	x := New(t, needSeccomp)
	withErrno := rule(specs.ActErrno, "chown", "fchownat")
	withErrno.ErrnoRet = Ptr(uint(unix.ENODATA))
	tried := try(x, seccomp(rule(specs.ActErrno, "mkdir", "mkdirat"), withErrno), "mkdir:/tmp/x", "chown:/tmp:0:0", "symlink:a:/tmp/l")
	Same(x, "tried", tried, Tried{"mkdir:/tmp/x": "EPERM", "chown:/tmp:0:0": "ENODATA", "symlink:a:/tmp/l": "ok"})
	r := x.Report(seccomp(rule(specs.ActErrno, "mkdir")))
	Equal(x, "Seccomp", r.Status["Seccomp"], "2")
	Equal(x, "NoNewPrivs", r.Status["NoNewPrivs"], map[bool]string{true: r.Status["NoNewPrivs"], false: "0"}[x.Rootless])
}

func TestSeccompKill(t *testing.T) {
	x := New(t, needSeccomp)
	for _, action := range []specs.LinuxSeccompAction{specs.ActKill, specs.ActKillProcess, specs.ActTrap} {
		x.Sub(string(action), func(y *Test) {
			b := y.Bundle(Args("/bin/mkdir", "/tmp/x"), seccomp(rule(action, "mkdir", "mkdirat")))
			y.Code(y.Foreground(b), 128+int(unix.SIGSYS))
			y.NothingLeft()
		}, needSeccomp)
	}
}

// Arguments: equal, masked, and the rest of the operators.
func TestSeccompArguments(t *testing.T) {
	x := New(t, needSeccomp)
	// personality(2) with harmless values; only those a rule names are refused.
	arg := func(op specs.LinuxSeccompOperator, value, two uint64) specs.LinuxSyscall {
		r := rule(specs.ActErrno, "setpriority")
		r.Args = []specs.LinuxSeccompArg{{Index: 2, Value: value, ValueTwo: two, Op: op}}
		return r
	}
	call := func(prio int) string {
		return fmt.Sprintf("syscall:%d:0:999999:%d", unix.SYS_SETPRIORITY, prio)
	}
	for _, one := range []struct {
		rule    specs.LinuxSyscall
		refused []int
	}{
		{arg(specs.OpEqualTo, 4, 0), []int{4}},
		{arg(specs.OpNotEqual, 4, 0), []int{3, 5, 6}},
		{arg(specs.OpLessThan, 5, 0), []int{3, 4}},
		{arg(specs.OpLessEqual, 5, 0), []int{3, 4, 5}},
		{arg(specs.OpGreaterThan, 4, 0), []int{5, 6}},
		{arg(specs.OpGreaterEqual, 4, 0), []int{4, 5, 6}},
		{arg(specs.OpMaskedEqual, 6, 4), []int{4, 5}},
	} {
		x.Sub(string(one.rule.Args[0].Op), func(y *Test) {
			tried := try(y, seccomp(one.rule), call(3), call(4), call(5), call(6))
			for prio := 3; prio <= 6; prio++ {
				// An unfiltered call finds no such process.
				want := "ESRCH"
				for _, refused := range one.refused {
					if refused == prio {
						want = "EPERM"
					}
				}
				Equal(y, call(prio), tried[call(prio)], want)
			}
		}, needSeccomp)
	}
}

// A profile of allowed calls that fits a static program.
func TestSeccompDefaultDeny(t *testing.T) {
	x := New(t, needSeccomp)
	b := x.Bundle(Args("/bin/echo", "hello"), func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActErrno,
			Syscalls: []specs.LinuxSyscall{rule(specs.ActAllow, "execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list",
				"rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "mprotect", "newfstatat", "fstat", "ioctl", "write", "writev",
				"exit_group", "exit", "getuid", "geteuid", "getgid", "getegid", "setuid", "setgid", "prctl", "mmap", "munmap", "uname")},
		}
	})
	x.PeerFails("runc", "1.1.5 needs calls of its own after the load: futex and more")
	x.PeerFails("crun", "1.8.1 needs calls of its own after the load: setresgid and more")
	r := x.Foreground(b)
	x.Code(r, 0)
	Equal(x, "stdout", r.Stdout, "hello\n")
}

//go:embed testdata/docker-default.json
var dockerDefault []byte

// dockerProfile is Docker's default profile as dockerd puts it into config.json.
func dockerProfile(x *Test) Edit {
	x.Helper()
	var profile specs.LinuxSeccomp
	x.Must(json.Unmarshal(dockerDefault, &profile))
	return func(s *specs.Spec) { s.Linux.Seccomp = &profile }
}

func TestSeccompDockerDefault(t *testing.T) {
	x := New(t, needSeccomp)
	x.Code(x.Foreground(x.Bundle(dockerProfile(x))), 0)
	attempts := []string{
		"mount:none:/tmp:tmpfs", "sethostname:x", "mkdir:/tmp/x", "chown:/tmp:0:0",
		fmt.Sprintf("syscall:%d:0:0:0", unix.SYS_BPF), fmt.Sprintf("syscall:%d", unix.SYS_GETPID), fmt.Sprintf("syscall:%d:0", unix.SYS_UNSHARE),
	}
	first := try(x, dockerProfile(x), attempts...)
	Equal(x, "mkdir", first["mkdir:/tmp/x"], "ok")
	Equal(x, "mount", first["mount:none:/tmp:tmpfs"], "EPERM")
	Equal(x, "bpf", first[attempts[4]], "EPERM")
	Equal(x, "getpid", first[attempts[5]], "ok")
	// The second time it comes out of a cache, if there is one: the same.
	Same(x, "second container", try(x, dockerProfile(x), attempts...), first)
}

// A system call newer than the profile is unknown, not forbidden: glibc falls back.
func TestSeccompNewerSyscalls(t *testing.T) {
	x := New(t, needSeccomp)
	x.PeerFails("crun", "1.8.1 answers with the default action")
	const newest = 600 // beyond every table
	tried := try(x, dockerProfile(x), fmt.Sprintf("syscall:%d", newest), fmt.Sprintf("syscall:%d", unix.SYS_BPF))
	Equal(x, "beyond the profile", tried[fmt.Sprintf("syscall:%d", newest)], "ENOSYS")
	Equal(x, "refused by the profile", tried[fmt.Sprintf("syscall:%d", unix.SYS_BPF)], "EPERM")
}

// exec is filtered like the init.
func TestSeccompExec(t *testing.T) {
	x := New(t, needSeccomp)
	c := x.Up(seccomp(rule(specs.ActErrno, "mkdir", "mkdirat")))
	Equal(x, "mkdir", tryIn(c, x, "mkdir:/tmp/x")["mkdir:/tmp/x"], "EPERM")
	Equal(x, "Seccomp", c.Report().Status["Seccomp"], "2")
}

// With no_new_privs and for a user without capabilities as well.
func TestSeccompWithNoNewPrivileges(t *testing.T) {
	x := New(t, needSeccomp)
	edits := []Edit{seccomp(rule(specs.ActErrno, "mkdir", "mkdirat")), func(s *specs.Spec) { s.Process.NoNewPrivileges = true }}
	if !x.Rootless {
		edits = append(edits, user(1000, 1000))
	}
	r := x.Report(edits...)
	Equal(x, "Seccomp", r.Status["Seccomp"], "2")
	Equal(x, "NoNewPrivs", r.Status["NoNewPrivs"], "1")
	if !x.Rootless {
		// Without no_new_privs the filter needs CAP_SYS_ADMIN at the load.
		r = x.Report(user(1000, 1000), seccomp(rule(specs.ActErrno, "mkdir", "mkdirat")))
		Equal(x, "Seccomp", r.Status["Seccomp"], "2")
		Equal(x, "NoNewPrivs", r.Status["NoNewPrivs"], "0")
	}
}

// The 32-bit tables are filtered, too, where the profile names the architecture.
func TestSeccompArchitectures(t *testing.T) {
	x := New(t, needSeccomp, Kernel("an amd64 machine", func() bool { return runtime.GOARCH == "amd64" }))
	x.Code(x.Foreground(x.Bundle(func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64},
			Syscalls:      []specs.LinuxSyscall{rule(specs.ActErrno, "mkdir")},
		}
	})), 0)
	// An unknown name in the list of calls is skipped, as engines' profiles need.
	x.Code(x.Foreground(x.Bundle(seccomp(rule(specs.ActErrno, "no_such_call", "mkdir")))), 0)
}

// The profile used for the tests is the one the seccomp package is tested with.
func TestDockerProfileIsCurrent(t *testing.T) {
	original, err := os.ReadFile(filepath.Join("..", "..", "seccomp", "testdata", "docker-default.json"))
	if err != nil {
		t.Skipf("needs the source tree: %v", err)
	}
	if strings.TrimSpace(string(original)) != strings.TrimSpace(string(dockerDefault)) {
		t.Errorf("testdata/docker-default.json differs from the seccomp package's")
	}
}
