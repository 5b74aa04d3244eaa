package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// personality converts linux.personality into the argument of personality(2).
func (f *findings) personality(p *specs.LinuxPersonality) *uint64 {
	if p == nil {
		return nil
	}
	var value uint64
	switch p.Domain {
	case specs.PerLinux:
	case specs.PerLinux32:
		value = 0x0008
	default:
		f.fault("linux.personality.domain: %q is not one of LINUX, LINUX32", p.Domain)
	}
	for i, flag := range p.Flags {
		bit := personalityFlag(flag)
		if bit == 0 {
			f.fault("linux.personality.flags[%d]: %q is not a flag of personality(2)", i, flag)
		}
		value |= bit
	}
	return &value
}

// personalityFlag knows the kernel's names; the spec defines none yet. Returns 0
// for any other, and for those that weaken the process itself (MMAP_PAGE_ZERO,
// READ_IMPLIES_EXEC, ADDR_COMPAT_LAYOUT), which execve of a set-user-ID file clears too.
func personalityFlag(f specs.LinuxPersonalityFlag) uint64 {
	switch f {
	case "UNAME26":
		return 0x0020000
	case "ADDR_NO_RANDOMIZE": //nolint:misspell // kernel spelling
		return 0x0040000
	case "FDPIC_FUNCPTRS":
		return 0x0080000
	case "ADDR_LIMIT_32BIT":
		return 0x0800000
	case "SHORT_INODE":
		return 0x1000000
	case "WHOLE_SECONDS":
		return 0x2000000
	case "STICKY_TIMEOUTS":
		return 0x4000000
	case "ADDR_LIMIT_3GB":
		return 0x8000000
	}
	return 0
}
