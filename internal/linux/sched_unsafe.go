package linux

import (
	"syscall"
	"unsafe"
)

// SchedAttr is struct sched_attr of sched_setattr(2) in its first version, 48
// bytes, which every kernel that has the call takes.
type SchedAttr struct {
	Size                      uint32
	Policy                    uint32
	Flags                     uint64
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64
}

// SchedSetattr is sched_setattr(2) on the calling thread; Size is filled in.
func SchedSetattr(attr SchedAttr) error {
	attr.Size = uint32(unsafe.Sizeof(attr))
	_, _, e := syscall.RawSyscall(sysSchedSetattr, 0, uintptr(unsafe.Pointer(&attr)), 0)
	return errno(e)
}

// SchedSetaffinity is sched_setaffinity(2) on the calling thread; mask is in the
// kernel's order of longs.
func SchedSetaffinity(mask []byte) error {
	if len(mask) == 0 {
		return syscall.EINVAL
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask[0])))
	return errno(e)
}

// SchedGetaffinity is sched_getaffinity(2) on the calling thread, in the kernel's
// order of longs.
func SchedGetaffinity() ([]byte, error) {
	// The buffer has to hold as many CPUs as the kernel was built for.
	for size := 128; ; size *= 2 {
		mask := make([]byte, size)
		n, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(size), uintptr(unsafe.Pointer(&mask[0])))
		if e == syscall.EINVAL && size < 1<<16 {
			continue
		}
		if e != 0 {
			return nil, e
		}
		return mask[:n], nil
	}
}

// IoprioSet is ioprio_set(2) on the calling thread.
func IoprioSet(prio int) error {
	const whoProcess = 1
	_, _, e := syscall.RawSyscall(sysIoprioSet, whoProcess, 0, uintptr(prio))
	return errno(e)
}

// Personality is personality(2) on the calling thread.
func Personality(persona uint64) error {
	_, _, e := syscall.RawSyscall(sysPersonality, uintptr(persona), 0, 0)
	return errno(e)
}

// SetMempolicy is set_mempolicy(2) on the calling thread; nodes is in the
// kernel's order of longs.
func SetMempolicy(mode int, nodes []byte) error {
	var p unsafe.Pointer
	bits := uintptr(0)
	if len(nodes) > 0 {
		p = unsafe.Pointer(&nodes[0])
		// The kernel reads one bit less than maxnode says (set_mempolicy(2), BUGS).
		bits = uintptr(len(nodes))*8 + 1
	}
	_, _, e := syscall.RawSyscall(sysSetMempolicy, uintptr(mode), uintptr(p), bits)
	return errno(e)
}
