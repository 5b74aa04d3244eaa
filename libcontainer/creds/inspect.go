package creds

import (
	"runtime"
	"strconv"
)

// finding is what the content of an executable says about itself.
type finding struct {
	// interp is the program that the kernel loads for it: of the "#!" line when
	// script is set, else the dynamic loader.
	interp string
	script bool
	// fault is why this host cannot execute the file, a predicate: "is empty".
	fault string
	// foreign says that the file is for another kind of machine, so that its loader
	// is none of this host's business.
	foreign bool
}

// headSize is what the kernel reads to tell formats apart (BINPRM_BUF_SIZE); a
// "#!" line ends within it.
const headSize = 256

// inspect recognises the formats by hand: the content is hostile, and debug/elf
// is not allowed in the init stage. read fills its buffer from an offset and
// returns how much there was.
func inspect(read func(off int64, p []byte) int) finding {
	var buf [headSize]byte
	head := buf[:max(0, min(read(0, buf[:]), headSize))]
	switch {
	case len(head) == 0:
		return finding{fault: "is empty"}
	case begins(head, "#!"):
		return inspectScript(head)
	case begins(head, "\x7fELF"):
		return inspectELF(head, read)
	case begins(head, "\xef\xbb\xbf#!"):
		return finding{fault: `has a byte order mark in front of its "#!" line: save it without one`}
	case begins(head, "MZ"):
		return finding{fault: "is an executable for Windows"}
	case begins(head, "\xcf\xfa\xed\xfe"):
		return finding{fault: "is an executable for macOS"}
	}
	return finding{fault: `has neither a "#!" line nor a known executable format`}
}

// inspectScript takes the line apart as load_script in fs/binfmt_script.c does.
func inspectScript(head []byte) finding {
	line, complete := head[2:], len(head) < headSize
	for i, b := range line {
		if b == '\n' {
			line, complete = line[:i], true
			break
		}
	}
	for len(line) > 0 && blank(line[0]) {
		line = line[1:]
	}
	end := 0
	for end < len(line) && !blank(line[end]) && line[end] != 0 {
		end++
	}
	switch {
	case end == 0:
		return finding{fault: `names no interpreter in its "#!" line`}
	case end == len(line) && !complete:
		return finding{fault: `has a "#!" line longer than the kernel's ` + strconv.Itoa(headSize) + " bytes"}
	}
	return finding{interp: string(line[:end]), script: true}
}

// inspectELF checks type and machine and finds the dynamic loader (elf(5)).
func inspectELF(head []byte, read func(int64, []byte) int) finding {
	e := elf{wide: len(head) > 4 && head[4] == 2, big: len(head) > 5 && head[5] == 2}
	size := 52
	if e.wide {
		size = 64
	}
	if len(head) < size {
		return finding{fault: "is a truncated ELF file"}
	}
	if kind := e.u16(head[16:]); kind != 2 && kind != 3 { // ET_EXEC, ET_DYN
		return finding{fault: "is an ELF file, but not an executable (type " + strconv.Itoa(int(kind)) + ")"}
	}
	machine := e.u16(head[18:])
	f := finding{interp: e.loader(head, read)}
	native, compat := hostMachines()
	if native == 0 || machine == native && !e.big {
		return f
	}
	f.foreign = machine != compat || e.big
	f.fault = "is an executable for " + machineName(machine, e.wide, e.big) + ", this host is " + machineName(native, true, false)
	return f
}

// elf reads the numbers of an ELF file.
type elf struct {
	wide, big bool
}

// loader returns the content of the PT_INTERP segment, "" when there is none.
func (e elf) loader(head []byte, read func(int64, []byte) int) string {
	const ptInterp, maxHeaders, maxPath = 3, 256, 4096
	off, entry, count := int64(e.u32(head[28:])), 32, e.u16(head[44:])
	if e.wide {
		off, entry, count = int64(e.u64(head[32:])), 56, e.u16(head[56:])
	}
	var buf [56]byte
	ph := buf[:entry]
	for i := int64(0); i < int64(min(count, maxHeaders)); i++ {
		at := off + i*int64(entry)
		if off < 0 || at < off || read(at, ph) != entry {
			return ""
		}
		if e.u32(ph) != ptInterp {
			continue
		}
		at, size := int64(e.u32(ph[4:])), uint64(e.u32(ph[16:]))
		if e.wide {
			at, size = int64(e.u64(ph[8:])), e.u64(ph[32:])
		}
		if at < 0 || size < 2 || size > maxPath {
			return ""
		}
		name := make([]byte, size)
		if read(at, name) != len(name) {
			return ""
		}
		for n, b := range name {
			if b == 0 {
				return string(name[:n])
			}
		}
		return ""
	}
	return ""
}

func (e elf) u16(b []byte) uint16 {
	if e.big {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return uint16(b[1])<<8 | uint16(b[0])
}

func (e elf) u32(b []byte) uint32 {
	if e.big {
		return uint32(e.u16(b))<<16 | uint32(e.u16(b[2:]))
	}
	return uint32(e.u16(b[2:]))<<16 | uint32(e.u16(b))
}

func (e elf) u64(b []byte) uint64 {
	if e.big {
		return uint64(e.u32(b))<<32 | uint64(e.u32(b[4:]))
	}
	return uint64(e.u32(b[4:]))<<32 | uint64(e.u32(b))
}

// Machine numbers of elf(5).
const (
	em386     = 3
	emARM     = 40
	emX8664   = 62
	emAarch64 = 183
	emRiscv   = 243
	emLoong   = 258
)

// hostMachines returns the machine that this program runs on, and the 32-bit one
// its kernel may run too (0: none).
func hostMachines() (native, compat uint16) {
	switch runtime.GOARCH {
	case "amd64":
		return emX8664, em386
	case "arm64":
		return emAarch64, emARM
	case "riscv64":
		return emRiscv, 0
	case "loong64":
		return emLoong, 0
	}
	return 0, 0
}

// machineName is the name as uname(1) has it.
func machineName(machine uint16, wide, big bool) string {
	switch machine {
	case em386:
		return "i386"
	case 8:
		return "mips"
	case 20:
		return "ppc"
	case 21:
		if !big {
			return "ppc64le"
		}
		return "ppc64"
	case 22:
		return "s390x"
	case emARM:
		return "arm"
	case emX8664:
		return "x86_64"
	case emAarch64:
		return "aarch64"
	case emRiscv:
		if !wide {
			return "riscv32"
		}
		return "riscv64"
	case emLoong:
		return "loongarch64"
	}
	return "machine number " + strconv.Itoa(int(machine))
}

func begins(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

func blank(b byte) bool { return b == ' ' || b == '\t' }
