package seccomp

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A syscall that is newer than the profile must give ENOSYS, not what the profile
// has for forbidden ones: C libraries try a new syscall and fall back to the old
// one on ENOSYS only. libseccomp cannot compare syscall numbers, so a prologue in
// front of its program does. runc's rule for "newer": a number above the largest
// the profile names for that architecture.

// x32Bit marks an x32 syscall on x86_64 (asm/unistd.h, __X32_SYSCALL_BIT).
const x32Bit = 1 << 30

// retENOSYS is the verdict for newer syscalls.
const retENOSYS = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.ENOSYS)

// span is a range of syscall numbers [from, to) outside the common numbering.
type span struct{ from, to uint32 }

// limit is the largest syscall number a profile names on one architecture.
type limit struct {
	arch arch
	max  uint32
}

// oldSpan returns numbers above the common ones that belong to old syscalls. They
// count neither as the largest nor as newer. New syscalls have the same number on
// every architecture since v5.1 and come before or after these.
func oldSpan(name specs.Arch) span {
	switch name {
	case specs.ArchX32:
		// x32's own variants, asm/unistd_x32.h.
		return span{x32Bit | 512, x32Bit | 548}
	case specs.ArchARM:
		// Private to ARM: cacheflush, set_tls, cmpxchg.
		return span{0xf0000, 0x100000}
	}
	return span{}
}

// largest returns the largest of numbers, those of oldSpan and negative ones (a
// name the architecture lacks) aside.
func largest(name specs.Arch, numbers []int32) (uint32, bool) {
	old := oldSpan(name)
	most, found := uint32(0), false
	for _, n := range numbers {
		nr := uint32(n)
		if n < 0 || nr >= old.from && nr < old.to {
			continue
		}
		most, found = max(most, nr), true
	}
	return most, found
}

// prologue returns instructions that answer ENOSYS for syscalls above limits, and
// jump to their own end, where the profile's program begins, for all others. It
// holds for programs of any length: every jump over the end is a BPF_JA, whose
// offset has 32 bits where conditional ones have 8.
func prologue(limits []limit) []insn {
	if len(limits) == 0 {
		return nil
	}
	p := []insn{{code: opLoad, k: offArch}}
	for i, l := range limits {
		if partner(limits[:i], l.arch) != nil {
			continue
		}
		body := section(l, partner(limits[i+1:], l.arch))
		p = append(p, insn{code: opJEQ, k: l.arch.audit, jf: uint8(len(body))})
		p = append(p, body...)
	}
	for i := range p {
		if p[i].code == opJump {
			p[i].k = uint32(len(p) - i - 1)
		}
	}
	return p
}

// partner finds the other ABI under the same AUDIT_ARCH value: x86_64 and x32.
func partner(limits []limit, a arch) *limit {
	for i := range limits {
		if limits[i].arch.audit == a.audit {
			return &limits[i]
		}
	}
	return nil
}

// section is the code for one AUDIT_ARCH value, other its second ABI if any.
func section(l limit, other *limit) []insn {
	load := insn{code: opLoad, k: offNr}
	if l.arch.audit != unix.AUDIT_ARCH_X86_64 {
		return append([]insn{load}, compare(l)...)
	}
	if l.arch.name == specs.ArchX32 && other != nil {
		return section(*other, &l)
	}
	first := compare(l)
	// The last instruction of compare leaves for the program.
	isX32 := insn{code: opJSET, k: x32Bit, jt: uint8(len(first) - 1)}
	if l.arch.name == specs.ArchX32 {
		isX32.jt, isX32.jf = 0, isX32.jt
	}
	var second []insn
	if other != nil {
		isX32.jt = uint8(len(first))
		second = compare(*other)
	}
	body := append([]insn{load, isX32}, first...)
	return append(body, second...)
}

// compare is the comparison with one limit, the syscall number loaded.
func compare(l limit) []insn {
	enosys := insn{code: opRet, k: retENOSYS}
	leave := insn{code: opJump}
	old := oldSpan(l.arch.name)
	switch {
	case old != span{}:
		return []insn{
			{code: opJGT, k: l.max, jf: 3},
			{code: opJGE, k: old.from, jf: 1},
			{code: opJGE, k: old.to, jf: 1},
			enosys,
			leave,
		}
	case l.arch.name == specs.ArchS390 || l.arch.name == specs.ArchS390X:
		// Numbers above 255 come through syscall 0, which the kernel replaces by
		// the real number only if it knows it (arch/s390/kernel/syscall.c).
		return []insn{
			{code: opJEQ, k: 0, jt: 1},
			{code: opJGT, k: l.max, jf: 1},
			enosys,
			leave,
		}
	}
	return []insn{
		{code: opJGT, k: l.max, jf: 1},
		enosys,
		leave,
	}
}
