package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// data is struct seccomp_data.
type data struct {
	nr, arch uint32
	args     [6]uint64
}

// word is the 32-bit load at offset off of struct seccomp_data on a little-endian
// machine; the instruction pointer is 0.
func (d *data) word(off uint32) uint32 {
	switch {
	case off == offNr:
		return d.nr
	case off == offArch:
		return d.arch
	case off < 16:
		return 0
	}
	arg := d.args[(off-16)/8]
	if off%8 == 4 {
		return uint32(arg >> 32)
	}
	return uint32(arg)
}

func decode(t testing.TB, filter []byte) []insn {
	t.Helper()
	if err := checkLength(filter); err != nil {
		t.Fatal(err)
	}
	var p []insn
	for ; len(filter) > 0; filter = filter[insnSize:] {
		p = append(p, insn{binary.NativeEndian.Uint16(filter), filter[2], filter[3], binary.NativeEndian.Uint32(filter[4:])})
	}
	return p
}

// verify checks what the kernel checks of a filter made of these instructions:
// jumps stay inside, loads are aligned, the last instruction returns.
func verify(p []insn) error {
	if len(p) == 0 || p[len(p)-1].code != opRet {
		return fmt.Errorf("does not end in a return")
	}
	for i, in := range p {
		rest := uint64(len(p) - i - 1)
		switch in.code {
		case opJump:
			if uint64(in.k) >= rest {
				return fmt.Errorf("instruction %d jumps out", i)
			}
		case opJEQ, opJGT, opJGE, opJSET:
			if uint64(in.jt) >= rest || uint64(in.jf) >= rest {
				return fmt.Errorf("instruction %d jumps out", i)
			}
		case opLoad:
			if in.k%4 != 0 || in.k >= 64 {
				return fmt.Errorf("instruction %d loads at %d", i, in.k)
			}
		case opRet, opAnd:
		default:
			return fmt.Errorf("instruction %d has code %#x, unknown to this test", i, in.code)
		}
	}
	return nil
}

// opAnd is BPF_ALU|BPF_AND|BPF_K, for MASKED_EQ.
const opAnd = 0x54

// run evaluates a verified program.
func run(p []insn, d *data) uint32 {
	var a uint32
	for pc := 0; ; pc++ {
		in := p[pc]
		var taken bool
		switch in.code {
		case opRet:
			return in.k
		case opLoad:
			a = d.word(in.k)
			continue
		case opAnd:
			a &= in.k
			continue
		case opJump:
			pc += int(in.k)
			continue
		case opJEQ:
			taken = a == in.k
		case opJGT:
			taken = a > in.k
		case opJGE:
			taken = a >= in.k
		case opJSET:
			taken = a&in.k != 0
		}
		if taken {
			pc += int(in.jt)
		} else {
			pc += int(in.jf)
		}
	}
}
