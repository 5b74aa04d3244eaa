//go:build cgo

package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// These tests load filters into the kernel, in a process of their own:
// testdata/probe, built for one GOARCH.

func buildProbe(t *testing.T, goarch string) string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the probe knows amd64 and 386 only")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build testdata/probe with")
	}
	out := filepath.Join(t.TempDir(), "probe-"+goarch)
	cmd := exec.Command("go", "build", "-o", out, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build testdata/probe for %s: %v\n%s", goarch, err, text)
	}
	return out
}

// probe runs the probe under p and returns its lines, stderr, and how it ended.
func probe(t *testing.T, bin string, p *Program, mode string, calls ...string) (lines []string, stderr string, state *os.ProcessState) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(file, p.Filter, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{file, fmt.Sprint(p.Flags), mode}, calls...)...)
	var stdout, errText bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &errText
	if err := cmd.Start(); err != nil {
		t.Skipf("cannot run a program of this architecture: %v", err)
	}
	// The state says it all; Wait's error repeats it.
	_ = cmd.Wait()
	return strings.Fields(strings.ReplaceAll(stdout.String(), "thread gone", "thread-gone")), errText.String(), cmd.ProcessState
}

// call is one syscall and the errno it must give; 0: none.
type call struct {
	name string
	args []uint64
	want unix.Errno
}

func (c call) line(nr uint32) string {
	s := fmt.Sprint(nr)
	for _, a := range c.args {
		s += fmt.Sprintf(",%d", a)
	}
	return s
}

func checkCalls(t *testing.T, bin string, p *Program, a specs.Arch, calls []call) {
	t.Helper()
	var args []string
	for _, c := range calls {
		var nr uint32
		if _, err := fmt.Sscanf(c.name, "#%d", &nr); err != nil {
			nr = number(t, c.name, a)
		}
		args = append(args, c.line(nr))
	}
	lines, stderr, state := probe(t, bin, p, "plain", args...)
	if !state.Success() || len(lines) != len(calls) {
		t.Fatalf("probe: %v, %d of %d calls\n%s", state, len(lines), len(calls), stderr)
	}
	for i, c := range calls {
		want := "ok"
		if c.want != 0 {
			want = fmt.Sprint(int(c.want))
		}
		if lines[i] != want {
			t.Errorf("%s %#x: %s, want %s (%v)", c.name, c.args, lines[i], want, c.want)
		}
	}
}

// dockerCalls hold on amd64 and 386 alike. clone with CLONE_SIGHAND and no
// CLONE_VM is EINVAL in the kernel: it passed the filter and made no process.
func dockerCalls(socket string) []call {
	return []call{
		{"getpid", nil, 0},
		{"clone", []uint64{unix.CLONE_SIGHAND}, unix.EINVAL},
		{"clone", []uint64{unix.CLONE_SIGHAND | unix.CLONE_NEWUSER}, unix.EPERM},
		{"clone", []uint64{unix.CLONE_SIGHAND | unix.CLONE_NEWNS}, unix.EPERM},
		{"clone3", []uint64{0, 0}, unix.ENOSYS},
		{"unshare", []uint64{unix.CLONE_NEWUSER}, unix.EPERM},
		{"mount", nil, unix.EPERM},
		{"keyctl", nil, unix.EPERM},
		{"io_uring_setup", nil, unix.EPERM},
		{"personality", []uint64{0xffffffff}, 0},
		{"personality", []uint64{1}, unix.EPERM},
		{socket, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, unix.EPERM},
		{socket, []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, unix.EPERM},
		{socket, []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, 0},
		{"#600", nil, unix.ENOSYS},
		{"#4000", nil, unix.ENOSYS},
	}
}

func TestLoadDockerProfile(t *testing.T) {
	profile, _ := dockerProfile(t)
	p, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	checkCalls(t, buildProbe(t, "amd64"), p, specs.ArchX86_64, dockerCalls("socket"))
}

func TestLoadDockerProfile386(t *testing.T) {
	bin := buildProbe(t, "386")
	profile, _ := dockerProfile(t)
	p, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	// libseccomp has a number of its own for socket on x86, where it can be called
	// through socketcall too.
	calls := append(dockerCalls("#359"), call{"socketcall", []uint64{1, 0}, unix.EFAULT})
	checkCalls(t, bin, p, specs.ArchX86, calls)
}

// An architecture the profile does not list is killed.
func TestLoadForeignArchitecture(t *testing.T) {
	bin := buildProbe(t, "386")
	p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO"}]}`)
	lines, _, state := probe(t, bin, p, "thread", fmt.Sprint(number(t, "getpid", specs.ArchX86)))
	if len(lines) != 1 || lines[0] != "thread-gone" {
		t.Errorf("%v %v", lines, state)
	}
}

func TestLoadErrno(t *testing.T) {
	p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["getppid"], "action": "SCMP_ACT_ERRNO"},
		{"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 25, "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 0}]},
		{"names": ["getsid"], "action": "SCMP_ACT_LOG"},
		{"names": ["getuid"], "action": "SCMP_ACT_TRACE"}]}`)
	checkCalls(t, buildProbe(t, "amd64"), p, specs.ArchX86_64, []call{
		{"getppid", nil, unix.EPERM},
		{"getpgid", []uint64{0}, unix.ENOTTY},
		{"getpgid", []uint64{1 << 30}, unix.ESRCH},
		{"getsid", []uint64{0}, 0},
		// No tracer: seccomp(2), SECCOMP_RET_TRACE.
		{"getuid", nil, unix.ENOSYS},
		{"getpid", nil, 0},
		// The default action lets newer syscalls through, to the kernel's own answer.
		{"#600", nil, unix.ENOSYS},
	})
}

func TestLoadKill(t *testing.T) {
	bin := buildProbe(t, "amd64")
	getppid := fmt.Sprint(number(t, "getppid", specs.ArchX86_64))
	rule := func(action string) *Program {
		return compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getppid"], "action": "`+action+`"}]}`)
	}
	lines, _, state := probe(t, bin, rule("SCMP_ACT_KILL_PROCESS"), "plain", getppid)
	if status := state.Sys(); len(lines) != 0 || !strings.Contains(state.String(), "bad system call") {
		t.Errorf("KILL_PROCESS: %v %v %v", lines, state, status)
	}
	for _, action := range []string{"SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"} {
		lines, stderr, state := probe(t, bin, rule(action), "thread", getppid)
		if len(lines) != 1 || lines[0] != "thread-gone" || !state.Success() {
			t.Errorf("%s: %v %v %s", action, lines, state, stderr)
		}
	}
	// Go's handler turns the signal into a crash that names it.
	_, stderr, state := probe(t, bin, rule("SCMP_ACT_TRAP"), "plain", getppid)
	if state.Success() || !strings.Contains(stderr, "SIGSYS") {
		t.Errorf("TRAP: %v %s", state, stderr)
	}
}

func TestLoadNotify(t *testing.T) {
	for _, flags := range []string{`[]`, `["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]`, `["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]`} {
		if strings.Contains(flags, "WAIT") && !flagSupported(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
			t.Log("left out: this kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (v5.19)")
			continue
		}
		p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", "flags": `+flags+`, "listenerPath": "/s",
			"syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_NOTIFY"}]}`)
		lines, stderr, state := probe(t, buildProbe(t, "amd64"), p, "notify", fmt.Sprint(number(t, "getppid", specs.ArchX86_64)))
		if len(lines) != 1 || lines[0] != "77" {
			t.Errorf("%s: %v %v %s", flags, lines, state, stderr)
		}
	}
}
