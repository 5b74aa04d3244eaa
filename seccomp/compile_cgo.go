//go:build cgo

package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// Enabled says whether profiles can be compiled.
func Enabled() bool { return true }

// Compile turns raw, a profile as in linux.seccomp, into a program with libseccomp.
// One that is null, or has neither a default action nor syscalls, filters nothing:
// its Program is empty. Architectures and syscalls libseccomp does not know are left
// out and named in Notes. Errors name the field at fault.
func Compile(raw json.RawMessage) (*Program, error) {
	profile, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return compile(profile)
}

// CheckNames refuses a profile that names system calls this libseccomp does not
// know; otherwise they are left to the default action, and noted.
func CheckNames(raw json.RawMessage) error {
	profile, err := parse(raw)
	if err != nil {
		return err
	}
	for i, call := range profile.Syscalls {
		var unknown []string
		for _, name := range call.Names {
			if _, err := libseccomp.GetSyscallFromName(name); err != nil {
				unknown = append(unknown, name)
			}
		}
		if len(unknown) > 0 {
			return fmt.Errorf("linux.seccomp.syscalls[%d].names: unknown to libseccomp %s: %s", i, libraryVersion(), strings.Join(unknown, " "))
		}
	}
	return nil
}

func parse(raw json.RawMessage) (*specs.LinuxSeccomp, error) {
	profile := &specs.LinuxSeccomp{}
	if err := json.Unmarshal(raw, profile); err != nil {
		return nil, fmt.Errorf("linux.seccomp: %w", err)
	}
	return profile, nil
}

func compile(profile *specs.LinuxSeccomp) (*Program, error) {
	if profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
		return &Program{Notes: []string{"linux.seccomp: neither a default action nor syscalls, no filter"}}, nil
	}
	p, err := newPolicy(profile)
	if err != nil {
		return nil, err
	}
	filter, err := p.assemble(optimization(p))
	if err != nil {
		return nil, err
	}
	program := &Program{Filter: filter, Flags: p.flags, Notify: p.notify, Notes: p.notes}
	if p.notify {
		program.ListenerPath, program.ListenerMetadata = profile.ListenerPath, profile.ListenerMetadata
	}
	return program, nil
}

// libraryVersion is read once, at the start of the binding; asking for it calls
// no libseccomp.
func libraryVersion() string {
	major, minor, micro := libseccomp.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

// Levels of the filter attribute that chooses them, seccomp_attr_set(3).
const (
	linear = 1
	tree   = 2
)

// optimization chooses the binary tree, which the kernel evaluates in a quarter of
// the time when it loads the filter, except for short profiles: libseccomp up to
// 2.5.4 makes a wrong tree out of no rules, and a few compares gain nothing.
func optimization(p *policy) int {
	if len(p.rules) > 32 {
		return tree
	}
	return linear
}

// assemble returns the whole program, prologue first.
func (p *policy) assemble(level int) ([]byte, error) {
	filter, err := libseccomp.NewFilter(libAction(p.def))
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %w", err)
	}
	defer filter.Release()
	archs, err := p.selectArchs(filter)
	if err != nil {
		return nil, err
	}
	if err := filter.SetOptimize(level); err != nil && level != linear {
		p.notes = append(p.notes, "linux.seccomp: no binary tree: "+err.Error())
	}
	if err := p.fill(filter); err != nil {
		return nil, err
	}
	body, err := export(filter)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: export the filter: %w", err)
	}
	program := append(encode(p.enosys(archs)), body...)
	if err := checkLength(program); err != nil {
		if level == tree {
			// A tree is about a quarter longer.
			return p.assembleAgain(linear)
		}
		return nil, fmt.Errorf("linux.seccomp: %w", err)
	}
	return program, nil
}

// assembleAgain is assemble without doubling the notes of the first attempt.
func (p *policy) assembleAgain(level int) ([]byte, error) {
	p.notes = p.notes[:0:0]
	return p.assemble(level)
}

// selectArchs adds the profile's architectures to filter and returns those it has
// now, the native one first, which every filter has.
func (p *policy) selectArchs(filter *libseccomp.ScmpFilter) ([]arch, error) {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: native architecture: %w", err)
	}
	selected := make([]arch, 0, len(p.archs)+1)
	for _, a := range archs {
		if id, err := libArch(a.name); err == nil && id == native {
			selected = append(selected, a)
		}
	}
	var out []string
	for _, a := range p.archs {
		ok, err := addArch(filter, a)
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp.architectures: add %s: %w", a.name, err)
		}
		switch {
		case !ok:
			out = append(out, string(a.name))
		case !hasArch(selected, a):
			selected = append(selected, a)
		}
	}
	if len(out) > 0 {
		p.notes = append(p.notes, "linux.seccomp.architectures: left out, of the other byte order or unknown to libseccomp "+libraryVersion()+": "+strings.Join(out, " "))
	}
	return selected, nil
}

func hasArch(list []arch, a arch) bool {
	for i := range list {
		if list[i].name == a.name {
			return true
		}
	}
	return false
}

// addArch returns false for an architecture that cannot be in this filter: one of
// the other byte order (EDOM), which no process here can use, or one this
// libseccomp does not know. Left out, its syscalls would end in the kill for
// foreign architectures.
func addArch(filter *libseccomp.ScmpFilter, a arch) (bool, error) {
	id, err := libArch(a.name)
	if err != nil {
		return false, err
	}
	err = filter.AddArch(id)
	if err == nil {
		return true, nil
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != unix.EDOM {
		return false, err
	}
	return false, nil
}

// libArch maps the name of the runtime spec; libseccomp's binding takes it without
// its prefix.
func libArch(name specs.Arch) (libseccomp.ScmpArch, error) {
	return libseccomp.GetArchFromString(strings.TrimPrefix(string(name), "SCMP_ARCH_"))
}

// fill adds the rules. Names libseccomp does not know are left to the default
// action, or to the -ENOSYS rule: with an older library a profile must still work.
func (p *policy) fill(filter *libseccomp.ScmpFilter) error {
	var unknown []string
	for _, r := range p.rules {
		// libseccomp refuses rules that repeat the default.
		if r.action == p.def {
			continue
		}
		number, err := libseccomp.GetSyscallFromName(r.name)
		if err != nil {
			unknown = append(unknown, r.name)
			continue
		}
		if err := addRule(filter, number, r); err != nil {
			return fmt.Errorf("linux.seccomp.syscalls[%d]: rule for %s: %w", r.entry, r.name, err)
		}
	}
	if len(unknown) > 0 {
		p.notes = append(p.notes, "linux.seccomp.syscalls: left to the default action, unknown to libseccomp "+libraryVersion()+": "+strings.Join(unknown, " "))
	}
	return nil
}

// addRule adds r. All its args must match; but args that name the same argument
// twice become one rule each, of which one must match, since libseccomp takes an
// argument only once per rule. runc has always read such profiles so.
func addRule(filter *libseccomp.ScmpFilter, number libseccomp.ScmpSyscall, r rule) error {
	action := libAction(r.action)
	if len(r.args) == 0 {
		return filter.AddRule(number, action)
	}
	conditions := make([]libseccomp.ScmpCondition, len(r.args))
	for i, arg := range r.args {
		// MASKED_EQ: value is the mask, valueTwo what is left after it; libseccomp
		// takes them in this order.
		condition, err := libseccomp.MakeCondition(arg.Index, libOperator(arg.Op), arg.Value, arg.ValueTwo)
		if err != nil {
			return err
		}
		conditions[i] = condition
	}
	if !repeats(r.args) {
		return filter.AddRuleConditional(number, action, conditions)
	}
	for i := range conditions {
		if err := filter.AddRuleConditional(number, action, conditions[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// repeats says that two args compare the same argument.
func repeats(args []specs.LinuxSeccompArg) bool {
	var seen [6]bool
	for _, arg := range args {
		if seen[arg.Index] {
			return true
		}
		seen[arg.Index] = true
	}
	return false
}

// enosys returns the prologue for archs, or none where the default action lets
// syscalls happen or is ENOSYS itself.
func (p *policy) enosys(archs []arch) []insn {
	if !p.denies() || p.def == retENOSYS {
		return nil
	}
	var limits []limit
	numbers := make([]int32, 0, len(p.rules))
	for _, a := range archs {
		id, err := libArch(a.name)
		if err != nil {
			continue
		}
		numbers = numbers[:0]
		for _, r := range p.rules {
			if n, err := libseccomp.GetSyscallFromNameByArch(r.name, id); err == nil {
				numbers = append(numbers, int32(n))
			}
		}
		if most, ok := largest(a.name, numbers); ok {
			limits = append(limits, limit{arch: a, max: most})
		}
	}
	return prologue(limits)
}

// export reads the program back from a memfd: libseccomp writes into memory only
// since 2.6.
func export(filter *libseccomp.ScmpFilter) ([]byte, error) {
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "seccomp")
	defer file.Close() // memory only, nothing to lose
	if err := filter.ExportBPF(file); err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	program := make([]byte, info.Size())
	if _, err := file.ReadAt(program, 0); err != nil {
		return nil, err
	}
	return program, nil
}

// libAction maps a SECCOMP_RET_* with its data.
func libAction(ret uint32) libseccomp.ScmpAction {
	data := int16(ret & unix.SECCOMP_RET_DATA)
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW:
		return libseccomp.ActAllow
	case unix.SECCOMP_RET_LOG:
		return libseccomp.ActLog
	case unix.SECCOMP_RET_TRACE:
		return libseccomp.ActTrace.SetReturnCode(data)
	case unix.SECCOMP_RET_USER_NOTIF:
		return libseccomp.ActNotify
	case unix.SECCOMP_RET_ERRNO:
		return libseccomp.ActErrno.SetReturnCode(data)
	case unix.SECCOMP_RET_TRAP:
		return libseccomp.ActTrap
	case unix.SECCOMP_RET_KILL_THREAD:
		return libseccomp.ActKillThread
	case unix.SECCOMP_RET_KILL_PROCESS:
		return libseccomp.ActKillProcess
	}
	return libseccomp.ActInvalid
}

func libOperator(op specs.LinuxSeccompOperator) libseccomp.ScmpCompareOp {
	switch op {
	case specs.OpNotEqual:
		return libseccomp.CompareNotEqual
	case specs.OpLessThan:
		return libseccomp.CompareLess
	case specs.OpLessEqual:
		return libseccomp.CompareLessOrEqual
	case specs.OpEqualTo:
		return libseccomp.CompareEqual
	case specs.OpGreaterEqual:
		return libseccomp.CompareGreaterEqual
	case specs.OpGreaterThan:
		return libseccomp.CompareGreater
	case specs.OpMaskedEqual:
		return libseccomp.CompareMaskedEqual
	}
	return libseccomp.CompareInvalid
}
