package seccomp

import (
	"fmt"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// policy is a profile with every name checked and turned into kernel numbers,
// and every default filled in.
type policy struct {
	// def is the SECCOMP_RET_* for syscalls no rule matches.
	def   uint32
	archs []arch
	rules []rule
	// flags are for seccomp(2).
	flags  uint64
	notify bool
	notes  []string
}

// rule is one name of one entry of linux.seccomp.syscalls.
type rule struct {
	// entry is its index there, for messages.
	entry  int
	name   string
	action uint32
	args   []specs.LinuxSeccompArg
}

// newPolicy checks profile and refuses what is wrong with the field's name.
func newPolicy(profile *specs.LinuxSeccomp) (*policy, error) {
	p := &policy{}
	var err error
	if p.def, err = resolveAction("linux.seccomp.default", profile.DefaultAction, profile.DefaultErrnoRet); err != nil {
		return nil, err
	}
	// execve, and the words for its failure, would wait for the listener: an agent
	// that knows every system call there is does not exist.
	if p.def == unix.SECCOMP_RET_USER_NOTIF {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %s cannot be the default", profile.DefaultAction)
	}
	if err := p.addArchs(profile.Architectures); err != nil {
		return nil, err
	}
	if err := p.addRules(profile.Syscalls); err != nil {
		return nil, err
	}
	switch {
	case p.notify && profile.ListenerPath == "":
		return nil, fmt.Errorf("linux.seccomp.listenerPath: not set, but needed for %s", specs.ActNotify)
	case p.notify && !filepath.IsAbs(profile.ListenerPath):
		return nil, fmt.Errorf("linux.seccomp.listenerPath: %q is not absolute", profile.ListenerPath)
	case profile.ListenerPath == "" && profile.ListenerMetadata != "":
		return nil, fmt.Errorf("linux.seccomp.listenerMetadata: must not be set without listenerPath")
	}
	return p, p.addFlags(profile.Flags)
}

func (p *policy) addArchs(names []specs.Arch) error {
	for i, name := range names {
		a, ok := findArch(name)
		if !ok {
			return fmt.Errorf("linux.seccomp.architectures[%d]: %q is not an architecture", i, name)
		}
		p.archs = append(p.archs, a)
	}
	return nil
}

func (p *policy) addRules(calls []specs.LinuxSyscall) error {
	for i, call := range calls {
		action, err := resolveAction(fmt.Sprintf("linux.seccomp.syscalls[%d].", i), call.Action, call.ErrnoRet)
		if err != nil {
			return err
		}
		if err := checkArgs(i, call.Args); err != nil {
			return err
		}
		for _, name := range call.Names {
			if name == "" {
				return fmt.Errorf("linux.seccomp.syscalls[%d].names: has an empty name", i)
			}
			if action == unix.SECCOMP_RET_USER_NOTIF {
				if err := p.addNotify(i, name); err != nil {
					return err
				}
			}
			p.rules = append(p.rules, rule{entry: i, name: name, action: action, args: call.Args})
		}
	}
	return nil
}

// addNotify refuses the one system call that the init stage makes under the filter
// but execve: should that fail, it writes why to the parent. An agent may well be
// asked about execve itself, it listens by then.
func (p *policy) addNotify(entry int, name string) error {
	if name == "write" {
		return fmt.Errorf("linux.seccomp.syscalls[%d]: %s cannot be used for %s", entry, specs.ActNotify, name)
	}
	p.notify = true
	return nil
}

func checkArgs(entry int, args []specs.LinuxSeccompArg) error {
	for j, arg := range args {
		if arg.Index > 5 {
			return fmt.Errorf("linux.seccomp.syscalls[%d].args[%d].index: %d is not an argument (0 to 5)", entry, j, arg.Index)
		}
		if !knownOperator(arg.Op) {
			return fmt.Errorf("linux.seccomp.syscalls[%d].args[%d].op: %q is not an operator", entry, j, arg.Op)
		}
	}
	return nil
}

// resolveAction returns the SECCOMP_RET_* with its data. prefix is what comes
// before Action and ErrnoRet in messages; "linux.seccomp.default" makes
// defaultAction, "linux.seccomp.syscalls[3]." makes syscalls[3].action.
func resolveAction(prefix string, name specs.LinuxSeccompAction, errnoRet *uint) (uint32, error) {
	actionField, errnoField := "action", "errnoRet"
	if prefix[len(prefix)-1] != '.' {
		actionField, errnoField = "Action", "ErrnoRet"
	}
	if name == "" {
		return 0, fmt.Errorf("%s%s: not set", prefix, actionField)
	}
	ret, ok := findAction(name)
	if !ok {
		return 0, fmt.Errorf("%s%s: %q is not an action", prefix, actionField, name)
	}
	// ERRNO: the kernel caps at MAX_ERRNO, 4095, and libseccomp wants less than
	// that. TRACE: 16 bits of data.
	limit := uint(4094)
	switch ret {
	case unix.SECCOMP_RET_ERRNO:
	case unix.SECCOMP_RET_TRACE:
		limit = 0xffff
	default:
		// runtime-spec, config-linux.md, errnoRet: the runtime must fail when the
		// action has no errno.
		if errnoRet != nil {
			return 0, fmt.Errorf("%s%s: %s has no errno", prefix, errnoField, name)
		}
		return ret, nil
	}
	if errnoRet == nil {
		return ret | uint32(unix.EPERM), nil
	}
	if *errnoRet > limit {
		return 0, fmt.Errorf("%s%s: %d is not an errno (0 to %d)", prefix, errnoField, *errnoRet, limit)
	}
	return ret | uint32(*errnoRet), nil
}

// addFlags turns flags into bits. No list at all means SPEC_ALLOW where the
// kernel has it, as runc does; an empty list means none.
func (p *policy) addFlags(names []specs.LinuxSeccompFlag) error {
	if names == nil && flagSupported(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW) {
		p.flags = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	for i, name := range names {
		bit, ok := findFlag(name)
		if !ok {
			return fmt.Errorf("linux.seccomp.flags[%d]: %q is not a flag", i, name)
		}
		if !flagSupported(bit) {
			return fmt.Errorf("linux.seccomp.flags[%d]: this kernel has no %s", i, name)
		}
		switch {
		case bit == unix.SECCOMP_FILTER_FLAG_TSYNC:
			// It would put the other threads of the Go init stage under the filter
			// before execve ends them; the one that calls execve is enough.
			p.notes = append(p.notes, "linux.seccomp.flags: "+string(name)+" left out, execve leaves one thread")
		case bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !p.notify:
			// EINVAL without SECCOMP_FILTER_FLAG_NEW_LISTENER.
			p.notes = append(p.notes, "linux.seccomp.flags: "+string(name)+" left out, no rule has "+string(specs.ActNotify))
		default:
			p.flags |= bit
		}
	}
	if p.notify {
		p.flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	return nil
}

// denies says that def keeps syscalls from happening. A tracer is expected to
// answer -ENOSYS for syscalls it does not know by itself.
func (p *policy) denies() bool {
	switch p.def & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		return false
	}
	return true
}
