package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flagTsync is a flag of seccomp(2) that the runtime spec's Go types do not name.
const flagTsync specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

// action is a name of the runtime spec and the SECCOMP_RET_* behind it.
type action struct {
	name specs.LinuxSeccompAction
	ret  uint32
}

// actions are in alphabetical order, for Actions.
var actions = [...]action{
	{specs.ActAllow, unix.SECCOMP_RET_ALLOW},
	{specs.ActErrno, unix.SECCOMP_RET_ERRNO},
	{specs.ActKill, unix.SECCOMP_RET_KILL_THREAD},
	{specs.ActKillProcess, unix.SECCOMP_RET_KILL_PROCESS},
	{specs.ActKillThread, unix.SECCOMP_RET_KILL_THREAD},
	{specs.ActLog, unix.SECCOMP_RET_LOG},
	{specs.ActNotify, unix.SECCOMP_RET_USER_NOTIF},
	{specs.ActTrace, unix.SECCOMP_RET_TRACE},
	{specs.ActTrap, unix.SECCOMP_RET_TRAP},
}

// operators are in alphabetical order, for Operators.
var operators = [...]specs.LinuxSeccompOperator{
	specs.OpEqualTo,
	specs.OpGreaterEqual,
	specs.OpGreaterThan,
	specs.OpLessEqual,
	specs.OpLessThan,
	specs.OpMaskedEqual,
	specs.OpNotEqual,
}

// flag is a name of the runtime spec and the SECCOMP_FILTER_FLAG_* behind it.
type flag struct {
	name specs.LinuxSeccompFlag
	bit  uint64
}

var flags = [...]flag{
	{flagTsync, unix.SECCOMP_FILTER_FLAG_TSYNC},
	{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG},
	{specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
}

// arch is a name of the runtime spec and what the kernel puts into
// seccomp_data.arch for it (linux/audit.h).
type arch struct {
	name  specs.Arch
	audit uint32
}

// archs are in alphabetical order, for Archs. x32 shares its value with x86_64:
// bit 30 of the syscall number tells them apart (seccomp(2)).
var archs = [...]arch{
	{specs.ArchAARCH64, unix.AUDIT_ARCH_AARCH64},
	{specs.ArchARM, unix.AUDIT_ARCH_ARM},
	{specs.ArchLOONGARCH64, unix.AUDIT_ARCH_LOONGARCH64},
	{specs.ArchM68K, unix.AUDIT_ARCH_M68K},
	{specs.ArchMIPS, unix.AUDIT_ARCH_MIPS},
	{specs.ArchMIPS64, unix.AUDIT_ARCH_MIPS64},
	{specs.ArchMIPS64N32, unix.AUDIT_ARCH_MIPS64N32},
	{specs.ArchMIPSEL, unix.AUDIT_ARCH_MIPSEL},
	{specs.ArchMIPSEL64, unix.AUDIT_ARCH_MIPSEL64},
	{specs.ArchMIPSEL64N32, unix.AUDIT_ARCH_MIPSEL64N32},
	{specs.ArchPARISC, unix.AUDIT_ARCH_PARISC},
	{specs.ArchPARISC64, unix.AUDIT_ARCH_PARISC64},
	{specs.ArchPPC, unix.AUDIT_ARCH_PPC},
	{specs.ArchPPC64, unix.AUDIT_ARCH_PPC64},
	{specs.ArchPPC64LE, unix.AUDIT_ARCH_PPC64LE},
	{specs.ArchRISCV64, unix.AUDIT_ARCH_RISCV64},
	{specs.ArchS390, unix.AUDIT_ARCH_S390},
	{specs.ArchS390X, unix.AUDIT_ARCH_S390X},
	{specs.ArchSH, unix.AUDIT_ARCH_SHEL},
	{specs.ArchSHEB, unix.AUDIT_ARCH_SH},
	{specs.ArchX32, unix.AUDIT_ARCH_X86_64},
	{specs.ArchX86, unix.AUDIT_ARCH_I386},
	{specs.ArchX86_64, unix.AUDIT_ARCH_X86_64},
}

func findAction(name specs.LinuxSeccompAction) (uint32, bool) {
	for _, a := range actions {
		if a.name == name {
			return a.ret, true
		}
	}
	return 0, false
}

func findFlag(name specs.LinuxSeccompFlag) (uint64, bool) {
	for _, f := range flags {
		if f.name == name {
			return f.bit, true
		}
	}
	return 0, false
}

func findArch(name specs.Arch) (arch, bool) {
	for _, a := range archs {
		if a.name == name {
			return a, true
		}
	}
	return arch{}, false
}

func knownOperator(name specs.LinuxSeccompOperator) bool {
	for _, op := range operators {
		if op == name {
			return true
		}
	}
	return false
}
