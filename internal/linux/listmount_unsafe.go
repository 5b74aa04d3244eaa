package linux

import (
	"syscall"
	"unsafe"
)

// ListMounts is listmount(2), since v6.8: it writes the ids of the mounts below the
// caller's root to ids, as many as there is room for, and returns how many.
func ListMounts(ids []uint64) (int, error) {
	const lsmtRoot = ^uint64(0)
	// struct mnt_id_req, the v6.8 size.
	req := struct {
		size, spare  uint32
		mount, param uint64
	}{size: 24, mount: lsmtRoot}
	n, _, e := syscall.Syscall6(sysListmount, uintptr(unsafe.Pointer(&req)),
		uintptr(unsafe.Pointer(unsafe.SliceData(ids))), uintptr(len(ids)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}
