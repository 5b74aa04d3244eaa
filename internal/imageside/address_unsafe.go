package imageside

import "unsafe"

// address is where the linker has put the image program.
func address() uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(program)))) }
