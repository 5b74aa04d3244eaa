package devices

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	bpfProgLoad     = 5
	bpfProgAttach   = 8
	bpfProgDetach   = 9
	bpfProgGetFD    = 13
	bpfProgQuery    = 16
	progTypeDevice  = 15
	attachDevice    = 6
	attachMulti     = 2
	attachReplace   = 4
	maxPrograms     = 64 // BPF_CGROUP_MAX_PROGS
	bpfAttrBytes    = 256
	loadTriesEAGAIN = 10
)

// Every attr is followed by zeros up to a size no kernel's union bpf_attr reaches:
// kernels 6.17 to 7.1 write behind a shorter one when programs are queried.

type loadAttr struct {
	kind, count uint32
	code        unsafe.Pointer
	license     unsafe.Pointer
	_           [bpfAttrBytes - 24]byte
}

type attachAttr struct {
	cgroup, prog, kind, flags, replace uint32
	_                                  [bpfAttrBytes - 20]byte
}

type queryAttr struct {
	cgroup, kind, queryFlags, attachFlags uint32
	ids                                   unsafe.Pointer
	count                                 uint32
	_                                     [bpfAttrBytes - 28]byte
}

type idAttr struct {
	id uint32
	_  [bpfAttrBytes - 4]byte
}

func bpf(cmd uintptr, attr unsafe.Pointer) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), bpfAttrBytes)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// load gives the program to the kernel and returns its fd.
func load(code []byte) (int, error) {
	license := []byte("Apache-2.0\x00")
	a := &loadAttr{
		kind: progTypeDevice, count: uint32(len(code) / insnBytes),
		code: unsafe.Pointer(&code[0]), license: unsafe.Pointer(&license[0]),
	}
	var fd int
	var err error
	for range loadTriesEAGAIN {
		// The verifier gives up with EAGAIN when a signal is pending; Go's
		// scheduler sends some.
		if fd, err = bpf(bpfProgLoad, unsafe.Pointer(a)); !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	runtime.KeepAlive(a)
	return fd, err
}

// attach adds prog to the cgroup, in the place of replace when that is not 0.
func attach(cgroup, prog, replace int) error {
	a := &attachAttr{cgroup: uint32(cgroup), prog: uint32(prog), kind: attachDevice, flags: attachMulti}
	if replace > 0 {
		a.flags |= attachReplace
		a.replace = uint32(replace)
	}
	_, err := bpf(bpfProgAttach, unsafe.Pointer(a))
	return err
}

func detach(cgroup, prog int) error {
	a := &attachAttr{cgroup: uint32(cgroup), prog: uint32(prog), kind: attachDevice}
	_, err := bpf(bpfProgDetach, unsafe.Pointer(a))
	return err
}

// loaded is a program in the kernel: its number there, and an fd.
type loaded struct {
	id uint32
	fd int
}

// attached returns the device programs of the cgroup itself; the caller closes them.
func attached(cgroup int) ([]loaded, error) {
	ids := new([maxPrograms]uint32)
	a := &queryAttr{cgroup: uint32(cgroup), kind: attachDevice, ids: unsafe.Pointer(ids), count: maxPrograms}
	if _, err := bpf(bpfProgQuery, unsafe.Pointer(a)); err != nil {
		return nil, err
	}
	var programs []loaded
	for _, id := range ids[:min(a.count, maxPrograms)] {
		fd, err := bpf(bpfProgGetFD, unsafe.Pointer(&idAttr{id: id}))
		if errors.Is(err, unix.ENOENT) {
			continue // detached meanwhile
		}
		if err != nil {
			closeAll(programs)
			return nil, err
		}
		programs = append(programs, loaded{id, fd})
	}
	return programs, nil
}
