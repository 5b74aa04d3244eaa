package build

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/image"
)

// binfmtDir is where the kernel keeps what executes the programs of other machines
// (binfmt_misc, Documentation/admin-guide/binfmt-misc.rst).
const binfmtDir = "/proc/sys/fs/binfmt_misc"

// machine is how programs of an architecture are known, and what qemu's handler for
// them is called.
type machine struct {
	arch, qemu string
	class      elf.Class
	data       elf.Data
	machine    elf.Machine
}

func machineOf(arch string) (machine, bool) {
	for _, m := range [...]machine{
		{"386", "i386", elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_386},
		{"amd64", "x86_64", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_X86_64},
		{"arm", "arm", elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_ARM},
		{"arm64", "aarch64", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_AARCH64},
		{"loong64", "loongarch64", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_LOONGARCH},
		{"mips", "mips", elf.ELFCLASS32, elf.ELFDATA2MSB, elf.EM_MIPS},
		{"mipsle", "mipsel", elf.ELFCLASS32, elf.ELFDATA2LSB, elf.EM_MIPS},
		{"mips64", "mips64", elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_MIPS},
		{"mips64le", "mips64el", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_MIPS},
		{"ppc64", "ppc64", elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_PPC64},
		{"ppc64le", "ppc64le", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_PPC64},
		{"riscv64", "riscv64", elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EM_RISCV},
		{"s390x", "s390x", elf.ELFCLASS64, elf.ELFDATA2MSB, elf.EM_S390},
	} {
		if m.arch == arch {
			return m, true
		}
	}
	return machine{}, false
}

// header is the beginning of a program for the machine.
func (m machine) header() []byte {
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[elf.EI_CLASS], h[elf.EI_DATA], h[elf.EI_VERSION] = byte(m.class), byte(m.data), byte(elf.EV_CURRENT)
	const kind, machine = 16, 18 // e_type and e_machine, elf(5)
	low, high := 0, 1
	if m.data == elf.ELFDATA2MSB {
		low, high = 1, 0
	}
	h[kind+low] = byte(elf.ET_EXEC)
	h[machine+low], h[machine+high] = byte(m.machine), byte(m.machine>>8)
	return h
}

// canRun refuses commands of another machine, unless the kernel can execute them.
func (r *stageRun) canRun() error {
	host := image.HostPlatform()
	p := r.platform()
	if p.Architecture == host.Architecture || (host.Architecture == "amd64" && p.Architecture == "386") {
		return nil
	}
	m, known := machineOf(p.Architecture)
	if known && emulated(binfmtDir, m) {
		return nil
	}
	handler := ""
	if known {
		handler = " (qemu-" + m.qemu + ")"
	}
	return fmt.Errorf("RUN for %s on %s: the kernel has no binfmt_misc handler for %s%s", image.FormatPlatform(p), image.FormatPlatform(host), p.Architecture, handler)
}

// emulated looks for a handler that takes programs of the machine, whatever its name.
func emulated(dir string, m machine) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "status")); err == nil && strings.HasPrefix(string(raw), "disabled") {
		return false
	}
	for _, e := range entries {
		if e.Name() == "register" || e.Name() == "status" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && takes(string(raw), m.header()) {
			return true
		}
	}
	return false
}

// takes tells whether a handler, as the kernel describes it, is for a program.
func takes(handler string, program []byte) bool {
	if !strings.HasPrefix(handler, "enabled\n") {
		return false
	}
	var offset int
	var magic, mask []byte
	for line := range strings.Lines(handler) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch key {
		case "offset":
			_, err = fmt.Sscan(value, &offset)
		case "magic":
			magic, err = hex.DecodeString(value)
		case "mask":
			mask, err = hex.DecodeString(value)
		}
		if err != nil {
			return false
		}
	}
	// One of scripts or another format would fit everything that has no magic.
	if !bytes.HasPrefix(magic, []byte(elf.ELFMAG)) || offset != 0 || len(magic) > len(program) || len(mask) > len(magic) {
		return false
	}
	for i, want := range magic {
		bits := byte(0xff)
		if i < len(mask) {
			bits = mask[i]
		}
		if (program[i]^want)&bits != 0 {
			return false
		}
	}
	return true
}
