package nsenter

import (
	"syscall"
	"unsafe"
)

// kind of an operation the child runs.
type kind uintptr

const (
	opSyscall  kind = iota // the request; an errno fails the program
	opOptional             // the same, but errno ENOSYS, EINVAL or EPERM is passed over
	opReport               // tells the parent event args[0]
	opWait                 // the request reads one byte; end of file: the parent is gone, exit
	opClone                // the request clones; the caller reports the pid and exits
)

// request is a system call. It holds numbers alone: addresses point into the arena,
// never into the Go heap, so the garbage collector has no part in it.
type request struct {
	nr   uintptr
	args [6]uintptr
}

// operation is one step of the child.
type operation struct {
	kind kind
	step uintptr // index of Step, for the report
	request
}

// child is what clone works with, in the arena.
type child struct {
	// alive is not 0 in the child, and 0 in the parent.
	alive uint32
	// fork is the first clone, report writes event.
	fork, report request
	event        event
	// status is what the child exits with after its last report.
	status uintptr
	// gate takes the byte that the child waits for.
	gate       [8]byte
	operations unsafe.Pointer
}

// cloneArgs is struct clone_args of clone3(2), the v5.7 size with cgroup.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal uint64
	stack, stackSize, tls, setTID, setTIDSize     uint64
	cgroup                                        uint64
}

const sizeofOperation = unsafe.Sizeof(operation{})

// arena is memory outside the Go heap that the child's copy of the address space
// keeps: the list of operations in its first part, their strings and structs behind.
type arena struct {
	mem  []byte
	ops  uintptr // number of operations
	max  uintptr
	data uintptr // offset of the next free byte
	*child
}

// newArena maps room for maxOps operations and dataSize bytes of arguments.
func newArena(maxOps, dataSize int) (*arena, error) {
	start := uintptr(maxOps)*sizeofOperation + unsafe.Sizeof(child{})
	size := (int(start) + dataSize + 4095) &^ 4095
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil, err
	}
	a := &arena{mem: mem, max: uintptr(maxOps), data: start}
	a.child = (*child)(unsafe.Add(a.base(), uintptr(maxOps)*sizeofOperation))
	a.operations = a.base()
	return a, nil
}

func (a *arena) free() {
	// The mapping is ours and whole: munmap cannot fail.
	_ = syscall.Munmap(a.mem)
}

// base is the address of the first operation.
func (a *arena) base() unsafe.Pointer { return unsafe.Pointer(&a.mem[0]) }

// add appends an operation.
func (a *arena) add(o operation) {
	if a.ops == a.max {
		panic("nsenter: more operations than room was made for")
	}
	*(*operation)(unsafe.Add(a.base(), a.ops*sizeofOperation)) = o
	a.ops++
}

// call appends a system call that must succeed.
func (a *arena) call(step Step, nr uintptr, args ...uintptr) {
	a.add(operation{opSyscall, uintptr(step), newRequest(nr, args...)})
}

func newRequest(nr uintptr, args ...uintptr) request {
	r := request{nr: nr}
	copy(r.args[:], args)
	return r
}

// aliveAddress is where the kernel sets and clears alive.
func (a *arena) aliveAddress() uintptr { return uintptr(unsafe.Pointer(&a.alive)) }

// reporting is the request that writes the event to fd.
func (a *arena) reporting(fd int) request {
	return newRequest(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&a.event)), unsafe.Sizeof(a.event))
}

// waiting is the request that reads a byte from the gate.
func (a *arena) waiting(fd int) request {
	return newRequest(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&a.gate)), 1)
}

// cloning is the request for clone3(2).
func (a *arena) cloning(c cloneArgs) request {
	return newRequest(sysClone3, a.cloneArgs(c), unsafe.Sizeof(c))
}

// reserve takes n bytes, aligned to 8, and returns their offset.
func (a *arena) reserve(n int) uintptr {
	at := (a.data + 7) &^ 7
	a.data = at + uintptr(n)
	if a.data > uintptr(len(a.mem)) {
		panic("nsenter: more argument bytes than room was made for")
	}
	return at
}

func (a *arena) address(offset uintptr) uintptr { return uintptr(a.base()) + offset }

// str stores a zero-terminated string and returns its address.
func (a *arena) str(s string) uintptr {
	at := a.reserve(len(s) + 1)
	copy(a.mem[at:], s)
	return a.address(at)
}

// strs stores a zero-terminated vector of strings and returns its address.
func (a *arena) strs(list []string) uintptr {
	at := a.reserve((len(list) + 1) * 8)
	for i, s := range list {
		*(*uintptr)(unsafe.Add(a.base(), at+uintptr(i)*8)) = a.str(s)
	}
	return a.address(at)
}

// cloneArgs stores a struct clone_args and returns its address.
func (a *arena) cloneArgs(c cloneArgs) uintptr {
	at := a.reserve(int(unsafe.Sizeof(c)))
	*(*cloneArgs)(unsafe.Add(a.base(), at)) = c
	return a.address(at)
}

// rlimit stores a struct rlimit64 and returns its address.
func (a *arena) rlimit(soft, hard uint64) uintptr {
	at := a.reserve(16)
	*(*[2]uint64)(unsafe.Add(a.base(), at)) = [2]uint64{soft, hard}
	return a.address(at)
}
