package seccomp

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// passed is what the program behind the prologue returns in these tests.
const passed = 0x1234

func mustArch(t *testing.T, name specs.Arch) arch {
	t.Helper()
	a, ok := findArch(name)
	if !ok {
		t.Fatalf("no architecture %s", name)
	}
	return a
}

// withProgram puts a one-instruction program behind the prologue of limits.
func withProgram(t *testing.T, limits []limit) []insn {
	t.Helper()
	p := append(prologue(limits), insn{code: opRet, k: passed})
	if err := verify(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPrologueBoundaries(t *testing.T) {
	x8664, x32 := limit{mustArch(t, specs.ArchX86_64), 450}, limit{mustArch(t, specs.ArchX32), x32Bit | 440}
	i386, arm := limit{mustArch(t, specs.ArchX86), 400}, limit{mustArch(t, specs.ArchARM), 430}
	s390x := limit{mustArch(t, specs.ArchS390X), 400}
	foreign := uint32(unix.AUDIT_ARCH_RISCV64)
	type call struct {
		audit, nr uint32
		enosys    bool
	}
	amd64 := uint32(unix.AUDIT_ARCH_X86_64)
	for _, test := range []struct {
		name   string
		limits []limit
		calls  []call
	}{
		{"x86_64 alone", []limit{x8664}, []call{
			{amd64, 0, false}, {amd64, 450, false}, {amd64, 451, true}, {amd64, x32Bit - 1, true},
			{amd64, x32Bit, false}, {amd64, x32Bit | 9999, false}, {amd64, 0xffffffff, false},
			{i386.arch.audit, 9999, false}, {foreign, 9999, false},
		}},
		{"x32 alone", []limit{x32}, []call{
			{amd64, 9999, false}, {amd64, x32Bit | 440, false}, {amd64, x32Bit | 441, true},
		}},
		{"all of x86", []limit{x8664, i386, x32}, []call{
			{amd64, 450, false}, {amd64, 451, true}, {amd64, 512, true},
			{amd64, x32Bit, false}, {amd64, x32Bit | 440, false}, {amd64, x32Bit | 441, true},
			{amd64, x32Bit | 511, true}, {amd64, x32Bit | 512, false}, {amd64, x32Bit | 547, false},
			{amd64, x32Bit | 548, true}, {amd64, 0xffffffff, true},
			{i386.arch.audit, 400, false}, {i386.arch.audit, 401, true}, {i386.arch.audit, x32Bit | 1, true},
			{foreign, 9999, false},
		}},
		{"x32 named first", []limit{x32, x8664}, []call{
			{amd64, 450, false}, {amd64, 451, true}, {amd64, x32Bit | 440, false}, {amd64, x32Bit | 441, true},
		}},
		{"arm private", []limit{arm}, []call{
			{arm.arch.audit, 430, false}, {arm.arch.audit, 431, true}, {arm.arch.audit, 0xf0002, false}, {arm.arch.audit, 0x100000, true},
		}},
		{"s390x multiplexer", []limit{s390x}, []call{
			{s390x.arch.audit, 0, true}, {s390x.arch.audit, 1, false}, {s390x.arch.audit, 400, false}, {s390x.arch.audit, 401, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := withProgram(t, test.limits)
			for _, c := range test.calls {
				want := uint32(passed)
				if c.enosys {
					want = retENOSYS
				}
				if got := run(p, &data{nr: c.nr, arch: c.audit}); got != want {
					t.Errorf("arch %#x syscall %#x: %#x, want %#x", c.audit, c.nr, got, want)
				}
			}
		})
	}
}

// Every architecture at once, in front of the longest program there can be: no
// offset may have been cut to 8 bits.
func TestPrologueOfAllArchitectures(t *testing.T) {
	var limits []limit
	for i, a := range archs {
		most := uint32(400 + i)
		if a.name == specs.ArchX32 {
			most |= x32Bit
		}
		limits = append(limits, limit{a, most})
	}
	p := withProgram(t, limits)
	for _, l := range limits {
		for nr, want := range map[uint32]uint32{l.max: passed, l.max + 1: retENOSYS} {
			if got := run(p, &data{nr: nr, arch: l.arch.audit}); got != want {
				t.Errorf("%s syscall %#x: %#x, want %#x", l.arch.name, nr, got, want)
			}
		}
	}
}

func TestPrologueOfNothing(t *testing.T) {
	if p := prologue(nil); p != nil {
		t.Errorf("%v, want none", p)
	}
}

func TestLargest(t *testing.T) {
	for _, test := range []struct {
		arch    specs.Arch
		numbers []int32
		max     uint32
		ok      bool
	}{
		{specs.ArchX86_64, []int32{3, 450, -101, 2}, 450, true},
		{specs.ArchX86_64, []int32{-101}, 0, false},
		{specs.ArchX86_64, nil, 0, false},
		{specs.ArchX32, []int32{x32Bit | 3, x32Bit | 450, x32Bit | 512, x32Bit | 547}, x32Bit | 450, true},
		{specs.ArchARM, []int32{430, 0xf0002}, 430, true},
	} {
		if most, ok := largest(test.arch, test.numbers); most != test.max || ok != test.ok {
			t.Errorf("%s %v: %d %v", test.arch, test.numbers, most, ok)
		}
	}
}
