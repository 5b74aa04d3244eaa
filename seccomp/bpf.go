package seccomp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// insn is struct sock_filter.
type insn struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

const (
	insnSize = 8
	// maxInsns is BPF_MAXINSNS of linux/bpf_common.h.
	maxInsns = 4096
)

// Instructions as libseccomp uses them, and offsets into struct seccomp_data.
const (
	opLoad = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opJump = unix.BPF_JMP | unix.BPF_JA
	opJEQ  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opJGT  = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opJGE  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opJSET = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	opRet  = unix.BPF_RET | unix.BPF_K

	offNr   = 0
	offArch = 4
)

// encode returns program as the kernel reads it.
func encode(program []insn) []byte {
	b := make([]byte, 0, len(program)*insnSize)
	for _, in := range program {
		b = binary.NativeEndian.AppendUint16(b, in.code)
		b = append(b, in.jt, in.jf)
		b = binary.NativeEndian.AppendUint32(b, in.k)
	}
	return b
}

// checkLength refuses what seccomp(2) would refuse with a bare EINVAL.
func checkLength(filter []byte) error {
	switch n := len(filter) / insnSize; {
	case n == 0 || len(filter)%insnSize != 0:
		return fmt.Errorf("program of %d bytes is not a filter", len(filter))
	case n > maxInsns:
		return fmt.Errorf("program of %d instructions is longer than the %d the kernel takes", n, maxInsns)
	}
	return nil
}
