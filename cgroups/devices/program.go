package devices

import "encoding/binary"

// Kinds of devices in struct bpf_cgroup_dev_ctx.
const (
	bpfBlock = 1
	bpfChar  = 2
)

// Opcodes of eBPF, include/uapi/linux/bpf.h and bpf_common.h.
const (
	opLoad32  = 0x61 // ldx mem word
	opMov32   = 0xbc // register
	opMov32K  = 0xb4
	opAnd32K  = 0x54
	opShr32K  = 0x74
	opJeqK    = 0x15
	opJneK    = 0x55
	opExit    = 0x95
	insnBytes = 8
)

// The largest device numbers the kernel has (MAJOR and MINOR of kdev_t.h).
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// program is eBPF in the making.
type program struct{ code []byte }

func (p *program) emit(op, dst, src byte, off int16, imm int32) {
	var b [insnBytes]byte
	b[0] = op
	b[1] = dst | src<<4 // the bit field's order on little-endian machines
	if !littleEndian {
		b[1] = dst<<4 | src
	}
	binary.NativeEndian.PutUint16(b[2:], uint16(off))
	binary.NativeEndian.PutUint32(b[4:], uint32(imm))
	p.code = append(p.code, b[:]...)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Registers: r1 is the context on entry.
const (
	r0 = iota
	r1
	rType
	rAccess
	rMajor
	rMinor
)

// Program compiles the rules into a program of type BPF_PROG_TYPE_CGROUP_DEVICE.
//
// It goes from the last rule to the first with the wanted access bits in a
// register. A rule that allows clears its bits, and access is granted when none is
// left; one that denies a bit that is left ends in refusal. So the last rule that
// speaks of a bit decides it, which is what the list means, holes included.
func Program(rules []Rule) []byte {
	p := &program{code: make([]byte, 0, (6*len(rules)+8)*insnBytes)}
	// access_type holds the access in its upper and the kind in its lower half.
	p.emit(opLoad32, rType, r1, 0, 0)
	p.emit(opMov32, rAccess, rType, 0, 0)
	p.emit(opShr32K, rAccess, 0, 0, 16)
	p.emit(opAnd32K, rType, 0, 0, 0xffff)
	p.emit(opLoad32, rMajor, r1, 4, 0)
	p.emit(opLoad32, rMinor, r1, 8, 0)
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		if r.Major > maxMajor || r.Minor > maxMinor {
			continue // no device has such a number
		}
		p.rule(r)
		if r.everything() {
			return p.code // what stands before is void, and dead code is refused
		}
	}
	p.verdict(0)
	return p.code
}

func (p *program) verdict(v int32) {
	p.emit(opMov32K, r0, 0, 0, v)
	p.emit(opExit, 0, 0, 0, 0)
}

// rule appends one rule; where it does not match, it jumps behind it.
func (p *program) rule(r Rule) {
	var body program
	switch {
	case r.Access == all && r.Allow:
		body.verdict(1)
	case r.Access == all:
		body.verdict(0)
	case r.Allow:
		body.emit(opAnd32K, rAccess, 0, 0, int32(^r.Access&all))
		body.emit(opJneK, rAccess, 0, 2, 0)
		body.verdict(1)
	default:
		body.emit(opMov32, r0, rAccess, 0, 0)
		body.emit(opAnd32K, r0, 0, 0, int32(r.Access))
		body.emit(opJeqK, r0, 0, 2, 0)
		body.verdict(0)
	}
	type test struct {
		reg  byte
		want int64
	}
	tests := make([]test, 0, 3)
	switch r.Type {
	case 'b':
		tests = append(tests, test{rType, bpfBlock})
	case 'c':
		tests = append(tests, test{rType, bpfChar})
	}
	if r.Major != Any {
		tests = append(tests, test{rMajor, r.Major})
	}
	if r.Minor != Any {
		tests = append(tests, test{rMinor, r.Minor})
	}
	for i, t := range tests {
		skip := len(tests) - 1 - i + len(body.code)/insnBytes
		p.emit(opJneK, t.reg, 0, int16(skip), int32(t.want))
	}
	p.code = append(p.code, body.code...)
}
