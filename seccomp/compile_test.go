//go:build cgo

package seccomp

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

func dockerProfile(t testing.TB) (*specs.LinuxSeccomp, []byte) {
	t.Helper()
	raw, err := os.ReadFile("testdata/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	var profile specs.LinuxSeccomp
	if err := json.Unmarshal(raw, &profile); err != nil {
		t.Fatal(err)
	}
	return &profile, raw
}

func compileJSON(t testing.TB, profile string) *Program {
	t.Helper()
	p, err := Compile(json.RawMessage(profile))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// number resolves name for one architecture by libseccomp.
func number(t testing.TB, name string, a specs.Arch) uint32 {
	t.Helper()
	id, err := libArch(a)
	if err != nil {
		t.Fatal(err)
	}
	n, err := libseccomp.GetSyscallFromNameByArch(name, id)
	if err != nil {
		t.Fatalf("%s on %s: %v", name, a, err)
	}
	return uint32(n)
}

// nativeAudit is the AUDIT_ARCH value a native syscall has here.
func nativeAudit(t testing.TB) uint32 {
	t.Helper()
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range archs {
		if id, err := libArch(a.name); err == nil && id == native {
			return a.audit
		}
	}
	t.Fatal("native architecture has no name")
	return 0
}

func nativeNumber(t testing.TB, name string) uint32 {
	t.Helper()
	n, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// verdict is what a program says about a native syscall.
func verdict(t testing.TB, p *Program, name string, args ...uint64) uint32 {
	t.Helper()
	code := decode(t, p.Filter)
	if err := verify(code); err != nil {
		t.Fatal(err)
	}
	d := data{nr: nativeNumber(t, name), arch: nativeAudit(t)}
	copy(d.args[:], args)
	return run(code, &d)
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		action string
		want   uint32
	}{
		{`"SCMP_ACT_KILL"`, unix.SECCOMP_RET_KILL_THREAD},
		{`"SCMP_ACT_KILL_THREAD"`, unix.SECCOMP_RET_KILL_THREAD},
		{`"SCMP_ACT_KILL_PROCESS"`, unix.SECCOMP_RET_KILL_PROCESS},
		{`"SCMP_ACT_TRAP"`, unix.SECCOMP_RET_TRAP},
		{`"SCMP_ACT_ERRNO"`, unix.SECCOMP_RET_ERRNO | 1},
		{`"SCMP_ACT_ERRNO", "errnoRet": 38`, unix.SECCOMP_RET_ERRNO | 38},
		{`"SCMP_ACT_ERRNO", "errnoRet": 0`, unix.SECCOMP_RET_ERRNO},
		{`"SCMP_ACT_ERRNO", "errnoRet": 4094`, unix.SECCOMP_RET_ERRNO | 4094},
		{`"SCMP_ACT_TRACE"`, unix.SECCOMP_RET_TRACE | 1},
		{`"SCMP_ACT_TRACE", "errnoRet": 65535`, unix.SECCOMP_RET_TRACE | 65535},
		{`"SCMP_ACT_LOG"`, unix.SECCOMP_RET_LOG},
		{`"SCMP_ACT_NOTIFY"`, unix.SECCOMP_RET_USER_NOTIF},
	} {
		p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/agent.sock", "listenerMetadata": "m",
			"syscalls": [{"names": ["getppid"], "action": `+test.action+`}]}`)
		if got := verdict(t, p, "getppid"); got != test.want {
			t.Errorf("%s: %#x, want %#x", test.action, got, test.want)
		}
		if got := verdict(t, p, "getpid"); got != unix.SECCOMP_RET_ALLOW {
			t.Errorf("%s: default %#x", test.action, got)
		}
		notify := strings.Contains(test.action, "NOTIFY")
		if p.Notify != notify || (p.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0) != notify {
			t.Errorf("%s: notify %v, flags %#x", test.action, p.Notify, p.Flags)
		}
		if (p.ListenerPath == "/run/agent.sock") != notify || (p.ListenerMetadata == "m") != notify {
			t.Errorf("%s: listener %q %q", test.action, p.ListenerPath, p.ListenerMetadata)
		}
	}
}

func TestDefaultActions(t *testing.T) {
	for _, test := range []struct {
		action string
		def    uint32
		// newer is the verdict for a syscall above all the profile names.
		newer uint32
	}{
		{`"SCMP_ACT_ALLOW"`, unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ALLOW},
		{`"SCMP_ACT_LOG"`, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_LOG},
		{`"SCMP_ACT_TRACE"`, unix.SECCOMP_RET_TRACE | 1, unix.SECCOMP_RET_TRACE | 1},
		{`"SCMP_ACT_ERRNO"`, unix.SECCOMP_RET_ERRNO | 1, retENOSYS},
		{`"SCMP_ACT_ERRNO", "defaultErrnoRet": 13`, unix.SECCOMP_RET_ERRNO | 13, retENOSYS},
		{`"SCMP_ACT_ERRNO", "defaultErrnoRet": 38`, retENOSYS, retENOSYS},
		{`"SCMP_ACT_TRAP"`, unix.SECCOMP_RET_TRAP, retENOSYS},
		{`"SCMP_ACT_KILL"`, unix.SECCOMP_RET_KILL_THREAD, retENOSYS},
		{`"SCMP_ACT_KILL_PROCESS"`, unix.SECCOMP_RET_KILL_PROCESS, retENOSYS},
	} {
		p := compileJSON(t, `{"defaultAction": `+test.action+`, "syscalls": [{"names": ["statx"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}]}`)
		if got := verdict(t, p, "getpid"); got != test.def {
			t.Errorf("%s: %#x, want %#x", test.action, got, test.def)
		}
		code := decode(t, p.Filter)
		if got := run(code, &data{nr: nativeNumber(t, "statx") + 1, arch: nativeAudit(t)}); got != test.newer {
			t.Errorf("%s: newer syscall %#x, want %#x", test.action, got, test.newer)
		}
		if got := verdict(t, p, "statx"); got != unix.SECCOMP_RET_ERRNO|7 {
			t.Errorf("%s: largest syscall %#x", test.action, got)
		}
	}
}

// A rule that repeats the default makes no code but counts as known.
func TestSyscallWithDefaultActionIsKnown(t *testing.T) {
	p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
		{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["statx"], "action": "SCMP_ACT_ERRNO"}]}`)
	if got := verdict(t, p, "statx"); got != unix.SECCOMP_RET_ERRNO|1 {
		t.Errorf("%#x", got)
	}
}

func TestOperators(t *testing.T) {
	const five, big = 5, 5 << 32
	for _, test := range []struct {
		arg       string
		match, no []uint64
	}{
		{`"op": "SCMP_CMP_EQ", "value": 5`, []uint64{five}, []uint64{4, 6, big, big | five}},
		{`"op": "SCMP_CMP_NE", "value": 5`, []uint64{4, 6, big | five}, []uint64{five}},
		{`"op": "SCMP_CMP_LT", "value": 5`, []uint64{0, 4}, []uint64{five, 6, big}},
		{`"op": "SCMP_CMP_LE", "value": 5`, []uint64{0, five}, []uint64{6, big}},
		{`"op": "SCMP_CMP_GE", "value": 5`, []uint64{five, big}, []uint64{0, 4}},
		{`"op": "SCMP_CMP_GT", "value": 5`, []uint64{6, big}, []uint64{0, five}},
		{`"op": "SCMP_CMP_EQ", "value": 21474836480`, []uint64{big}, []uint64{0, five, big | 1}},
		// value is the mask: bits 4 and 5 must be 1 and 0.
		{`"op": "SCMP_CMP_MASKED_EQ", "value": 48, "valueTwo": 16`, []uint64{16, 16 | 1, 16 | big}, []uint64{0, 32, 48, 48 | big}},
		{`"op": "SCMP_CMP_MASKED_EQ", "value": 2114060288, "valueTwo": 0`, []uint64{0, 17, unix.CLONE_VM}, []uint64{unix.CLONE_NEWUSER, unix.CLONE_NEWNS | 17}},
	} {
		p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
			{"names": ["prctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, `+test.arg+`}]}]}`)
		for _, v := range test.match {
			if got := verdict(t, p, "prctl", 99, v); got != unix.SECCOMP_RET_ALLOW {
				t.Errorf("%s with %#x: %#x, want a match", test.arg, v, got)
			}
		}
		for _, v := range test.no {
			if got := verdict(t, p, "prctl", 99, v); got != unix.SECCOMP_RET_ERRNO|1 {
				t.Errorf("%s with %#x: %#x, want no match", test.arg, v, got)
			}
		}
	}
}

func TestSeveralArgs(t *testing.T) {
	and := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ALLOW",
		"args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}, {"index": 1, "op": "SCMP_CMP_EQ", "value": 2}]}]}`)
	or := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ALLOW",
		"args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}, {"index": 0, "op": "SCMP_CMP_EQ", "value": 2}, {"index": 1, "op": "SCMP_CMP_EQ", "value": 2}]}]}`)
	for _, test := range []struct {
		a, b    uint64
		and, or bool
	}{
		{1, 2, true, true},
		{1, 3, false, true},
		{2, 3, false, true},
		{3, 2, false, true},
		{3, 3, false, false},
	} {
		if got := verdict(t, and, "prctl", test.a, test.b) == unix.SECCOMP_RET_ALLOW; got != test.and {
			t.Errorf("different arguments %d %d: %v", test.a, test.b, got)
		}
		if got := verdict(t, or, "prctl", test.a, test.b) == unix.SECCOMP_RET_ALLOW; got != test.or {
			t.Errorf("same argument twice %d %d: %v", test.a, test.b, got)
		}
	}
}

func TestFlags(t *testing.T) {
	const spec, logged = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unix.SECCOMP_FILTER_FLAG_LOG
	const wait, listener = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	for _, test := range []struct {
		flags, rule string
		want        uint64
	}{
		{``, "ERRNO", spec},
		{`"flags": null,`, "ERRNO", spec},
		{`"flags": [],`, "ERRNO", 0},
		{`"flags": ["SECCOMP_FILTER_FLAG_LOG"],`, "ERRNO", logged},
		{`"flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],`, "ERRNO", logged | spec},
		{`"flags": ["SECCOMP_FILTER_FLAG_TSYNC"],`, "ERRNO", 0},
		{`"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],`, "ERRNO", 0},
		{`"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],`, "NOTIFY", wait | listener},
	} {
		if !flagSupported(wait) && strings.Contains(test.flags, "WAIT") {
			t.Logf("left out: this kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (v5.19)")
			continue
		}
		p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ALLOW", `+test.flags+` "listenerPath": "/s",
			"syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_`+test.rule+`"}]}`)
		if p.Flags != test.want {
			t.Errorf("%s %s: %#x, want %#x", test.flags, test.rule, p.Flags, test.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	call := func(s string) string {
		return `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, ` + s + `]}`
	}
	for _, test := range []struct{ profile, want string }{
		{`{"defaultAction": 5}`, "linux.seccomp: json: cannot unmarshal number"},
		{`[]`, "linux.seccomp: json: cannot unmarshal array"},
		{`{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}`, "linux.seccomp.defaultAction: not set"},
		{`{"defaultAction": "SCMP_ACT_NO"}`, `linux.seccomp.defaultAction: "SCMP_ACT_NO" is not an action`},
		{`{"defaultAction": "SCMP_ACT_NOTIFY"}`, "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default"},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}`, "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW has no errno"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}`, "linux.seccomp.defaultErrnoRet: 4095 is not an errno (0 to 4094)"},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "x86"]}`, `linux.seccomp.architectures[1]: "x86" is not an architecture`},
		{`{"defaultAction": "SCMP_ACT_ERRNO", "flags": ["NO"]}`, `linux.seccomp.flags[0]: "NO" is not a flag`},
		{call(`{"names": ["write"], "action": "ALLOW"}`), `linux.seccomp.syscalls[1].action: "ALLOW" is not an action`},
		{call(`{"names": ["write"]}`), `linux.seccomp.syscalls[1].action: not set`},
		{call(`{"names": ["write", ""], "action": "SCMP_ACT_ALLOW"}`), `linux.seccomp.syscalls[1].names: has an empty name`},
		{call(`{"names": ["write"], "action": "SCMP_ACT_KILL", "errnoRet": 1}`), `linux.seccomp.syscalls[1].errnoRet: SCMP_ACT_KILL has no errno`},
		{call(`{"names": ["write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}`), `linux.seccomp.syscalls[1].args[0].index: 6 is not an argument (0 to 5)`},
		{call(`{"names": ["write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "=="}]}`), `linux.seccomp.syscalls[1].args[0].op: "==" is not an operator`},
		{call(`{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}`), `linux.seccomp.listenerPath: not set, but needed for SCMP_ACT_NOTIFY`},
		{call(`{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}`), `linux.seccomp.syscalls[1]: SCMP_ACT_NOTIFY cannot be used for write`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "s", "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]}`, `linux.seccomp.listenerPath: "s" is not absolute`},
		{`{"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"}`, `linux.seccomp.listenerMetadata: must not be set without listenerPath`},
	} {
		p, err := Compile(json.RawMessage(test.profile))
		if err == nil {
			t.Errorf("%s: accepted, %d bytes", test.profile, len(p.Filter))
		} else if !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %q, want %q", test.profile, err, test.want)
		}
	}
}

func TestEmptyProfileFiltersNothing(t *testing.T) {
	for _, profile := range []string{"null", "{}", `{"architectures": ["SCMP_ARCH_X86"]}`} {
		p := compileJSON(t, profile)
		if len(p.Filter) != 0 || p.Flags != 0 {
			t.Errorf("%s: %v", profile, p)
		}
	}
}

func TestCheckNames(t *testing.T) {
	const profile = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"]}, {"names": ["write", "frobnicate", "twiddle2"]}]}`
	err := CheckNames(json.RawMessage(profile))
	if err == nil || !strings.HasPrefix(err.Error(), "linux.seccomp.syscalls[1].names: unknown to libseccomp") || !strings.HasSuffix(err.Error(), ": frobnicate twiddle2") {
		t.Error(err)
	}
	if err := CheckNames(json.RawMessage(`{"syscalls": [{"names": ["read", "write"]}]}`)); err != nil {
		t.Error(err)
	}
}

func TestUnknownSyscallsAreNoted(t *testing.T) {
	p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "frobnicate", "twiddle2"], "action": "SCMP_ACT_ALLOW"}]}`)
	if len(p.Notes) != 1 || !strings.HasSuffix(p.Notes[0], ": frobnicate twiddle2") {
		t.Errorf("%q", p.Notes)
	}
	if got := verdict(t, p, "read"); got != unix.SECCOMP_RET_ALLOW {
		t.Errorf("read %#x", got)
	}
}

// Profiles may list all architectures of the spec on any machine.
func TestAllArchitectures(t *testing.T) {
	profile := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"read", "statx"}, Action: specs.ActAllow}},
	}
	for _, a := range archs {
		profile.Architectures = append(profile.Architectures, a.name)
	}
	if len(profile.Architectures) != 23 {
		t.Errorf("%d architectures", len(profile.Architectures))
	}
	p, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	code := decode(t, p.Filter)
	if err := verify(code); err != nil {
		t.Fatal(err)
	}
	if len(p.Notes) > 1 {
		t.Errorf("%q", p.Notes)
	}
	left := " " + strings.Join(p.Notes, "") + " "
	for _, a := range archs {
		want := uint32(unix.SECCOMP_RET_ALLOW)
		if strings.Contains(left, " "+string(a.name)+" ") {
			want = unix.SECCOMP_RET_KILL_THREAD
			if hasAudit(a, left) {
				continue
			}
		} else if got := run(code, &data{nr: number(t, "statx", a.name) + 1, arch: a.audit}); got != retENOSYS {
			t.Errorf("%s: newer syscall %#x", a.name, got)
		}
		id, err := libArch(a.name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := libseccomp.GetSyscallFromNameByArch("statx", id)
		if err != nil {
			n = 1
		}
		if got := run(code, &data{nr: uint32(n), arch: a.audit}); got != want {
			t.Errorf("%s: %#x, want %#x", a.name, got, want)
		}
	}
	t.Log(left)
}

// hasAudit says that another architecture with the same AUDIT_ARCH value is in.
func hasAudit(a arch, left string) bool {
	for _, b := range archs {
		if b.audit == a.audit && b.name != a.name && !strings.Contains(left, " "+string(b.name)+" ") {
			return true
		}
	}
	return false
}

// Without any architecture in the profile the native one has the -ENOSYS rule.
func TestNativeArchitectureIsImplied(t *testing.T) {
	p := compileJSON(t, `{"defaultAction": "SCMP_ACT_ERRNO", "architectures": [], "syscalls": [{"names": ["statx"], "action": "SCMP_ACT_ALLOW"}]}`)
	code := decode(t, p.Filter)
	if got := run(code, &data{nr: 600, arch: nativeAudit(t)}); got != retENOSYS {
		t.Errorf("%#x", got)
	}
	if got := run(code, &data{nr: 600, arch: unix.AUDIT_ARCH_H8300}); got != unix.SECCOMP_RET_KILL_THREAD {
		t.Errorf("foreign architecture %#x", got)
	}
}

// interesting are syscall numbers around every edge of an ABI.
func interesting() []uint32 {
	var list []uint32
	for nr := uint32(0); nr <= 600; nr++ {
		list = append(list, nr, x32Bit|nr)
	}
	return append(list, x32Bit-1, 1<<31, 0xfffffffe, 0xffffffff)
}

// argVariants are argument lists around every value the profile compares with.
func argVariants(profile *specs.LinuxSeccomp) [][6]uint64 {
	values := []uint64{0, 1, ^uint64(0)}
	for _, call := range profile.Syscalls {
		for _, arg := range call.Args {
			v := arg.Value
			values = append(values, v-1, v, v+1, v|1<<32, v&-v)
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	var list [][6]uint64
	for _, v := range values {
		list = append(list, [6]uint64{v, v, v, v, v, v})
	}
	return list
}

// The binary tree must say what the linear program says.
func TestTreeEqualsLinear(t *testing.T) {
	profile, _ := dockerProfile(t)
	var programs [2][]insn
	for i, level := range []int{linear, tree} {
		p, err := newPolicy(profile)
		if err != nil {
			t.Fatal(err)
		}
		filter, err := p.assemble(level)
		if err != nil {
			t.Fatal(err)
		}
		programs[i] = decode(t, filter)
		if err := verify(programs[i]); err != nil {
			t.Fatal(err)
		}
		t.Logf("level %d: %d instructions", level, len(programs[i]))
	}
	cases := 0
	for _, audit := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64} {
		for _, nr := range interesting() {
			for _, args := range argVariants(profile) {
				d := data{nr: nr, arch: audit, args: args}
				a, b := run(programs[0], &d), run(programs[1], &d)
				if a != b {
					t.Fatalf("%#x: linear %#x, tree %#x", d, a, b)
				}
				cases++
			}
		}
	}
	t.Logf("%d cases", cases)
}

// oracle reads a profile the way its text says, without BPF. It holds for
// profiles whose rules for one syscall all have the same action.
func oracle(t *testing.T, profile *specs.LinuxSeccomp, a specs.Arch) func(*data) uint32 {
	t.Helper()
	id, err := libArch(a)
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		call   specs.LinuxSyscall
		action uint32
	}
	table := map[uint32][]entry{}
	var numbers []int32
	for _, call := range profile.Syscalls {
		action, err := resolveAction("x.", call.Action, call.ErrnoRet)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range call.Names {
			if n, err := libseccomp.GetSyscallFromNameByArch(name, id); err == nil && n >= 0 {
				table[uint32(n)] = append(table[uint32(n)], entry{call, action})
				numbers = append(numbers, int32(n))
			}
		}
	}
	def, err := resolveAction("x.", profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		t.Fatal(err)
	}
	most, _ := largest(a, numbers)
	old := oldSpan(a)
	// Architectures of 32 bits see 32 bits of an argument.
	mask := ^uint64(0)
	if a != specs.ArchX86_64 {
		mask = 1<<32 - 1
	}
	return func(d *data) uint32 {
		if d.nr > most && (d.nr < old.from || d.nr >= old.to) {
			return retENOSYS
		}
		for _, e := range table[d.nr] {
			if matches(e.call.Args, d.args, mask) {
				return e.action
			}
		}
		return def
	}
}

func matches(args []specs.LinuxSeccompArg, values [6]uint64, mask uint64) bool {
	for _, arg := range args {
		v, w := values[arg.Index]&mask, arg.Value&mask
		var ok bool
		switch arg.Op {
		case specs.OpEqualTo:
			ok = v == w
		case specs.OpLessThan:
			ok = v < w
		case specs.OpGreaterThan:
			ok = v > w
		case specs.OpMaskedEqual:
			ok = v&w == arg.ValueTwo&mask
		default:
			panic("operator not in docker's profile")
		}
		if !ok {
			return false
		}
	}
	return true
}

// Docker's profile must mean what it says, for every syscall of the three ABIs.
func TestDockerProfileMeansWhatItSays(t *testing.T) {
	if nativeAudit(t) != unix.AUDIT_ARCH_X86_64 {
		t.Skip("the profile is resolved for amd64")
	}
	profile, _ := dockerProfile(t)
	p, err := compile(profile)
	if err != nil {
		t.Fatal(err)
	}
	code := decode(t, p.Filter)
	t.Logf("%d instructions, flags %#x, notes %q", len(code), p.Flags, p.Notes)
	for _, abi := range []struct {
		arch  specs.Arch
		audit uint32
		bit   uint32
	}{
		{specs.ArchX86_64, unix.AUDIT_ARCH_X86_64, 0},
		{specs.ArchX32, unix.AUDIT_ARCH_X86_64, x32Bit},
		{specs.ArchX86, unix.AUDIT_ARCH_I386, 0},
	} {
		want := oracle(t, profile, abi.arch)
		wrong := 0
		for nr := uint32(0); nr <= 600; nr++ {
			// libseccomp writes rules for socketcall and ipc, and for their parts.
			if abi.arch == specs.ArchX86 && multiplexed(nr) {
				continue
			}
			for _, args := range argVariants(profile) {
				d := data{nr: nr | abi.bit, arch: abi.audit, args: args}
				if got := run(code, &d); got != want(&d) {
					wrong++
					t.Errorf("%s syscall %d args %#x: %#x, want %#x", abi.arch, nr, args[0], got, want(&d))
				}
				if wrong > 20 {
					t.FailNow()
				}
			}
		}
	}
}

func multiplexed(nr uint32) bool {
	return nr == 102 || nr == 117 || nr == 337 || nr == 345 || nr >= 359 && nr <= 373 || nr >= 393 && nr <= 402
}

func TestProgramTooLong(t *testing.T) {
	profile := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range 3000 {
		profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{
			Names: []string{"prctl"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 1, Op: specs.OpEqualTo, Value: uint64(i)<<32 | uint64(i)}},
		})
	}
	_, err := compile(profile)
	if err == nil || !strings.Contains(err.Error(), "is longer than the 4096 the kernel takes") {
		t.Errorf("%v", err)
	}
}

func TestFeatures(t *testing.T) {
	if len(Archs()) != 23 || len(Operators()) != 7 || !slices.Contains(Actions(), "SCMP_ACT_ERRNO") {
		t.Errorf("%v %v %v", Archs(), Operators(), Actions())
	}
	for _, list := range [][]string{Archs(), Operators(), Actions()} {
		if !slices.IsSorted(list) {
			t.Errorf("not sorted: %v", list)
		}
	}
	for _, f := range SupportedFlags() {
		if !slices.Contains(KnownFlags(), f) {
			t.Errorf("%s is supported but not known", f)
		}
	}
	if flagSupported(1 << 30) {
		t.Error("a flag that does not exist is supported")
	}
	if actionSupported(0x12340000) {
		t.Error("an action that does not exist is supported")
	}
	t.Log(Actions(), SupportedFlags())
}
