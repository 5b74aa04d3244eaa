package embedded

import "unsafe"

// address is where the linker has put the program.
func (p Program) address() uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(*p.Bytes)))) }
