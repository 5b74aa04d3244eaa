package linux

import (
	"syscall"
	"unsafe"
)

// MountAttr is struct mount_attr of mount_setattr(2).
type MountAttr struct {
	AttrSet, AttrClr, Propagation, UsernsFD uint64
}

// OpenTree is open_tree(2), since v5.2; O_CLOEXEC is added.
func OpenTree(dirfd int, path string, flags uint) (int, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return -1, syscall.EINVAL
	}
	fd, _, e := syscall.Syscall(sysOpenTree, uintptr(dirfd), uintptr(unsafe.Pointer(p)), uintptr(flags|syscall.O_CLOEXEC))
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// MoveMount attaches the detached mount fromFD at the object toFD names, both by
// fd alone (move_mount(2), since v5.2).
func MoveMount(fromFD, toFD int) error {
	empty := [1]byte{}
	p := uintptr(unsafe.Pointer(&empty[0]))
	_, _, e := syscall.Syscall6(sysMoveMount, uintptr(fromFD), p, uintptr(toFD), p,
		MoveMountFEmptyPath|MoveMountTEmptyPath, 0)
	return errno(e)
}

// MountSetattr is mount_setattr(2) on the mount fd stands for, since v5.12;
// flags may hold AtRecursive.
func MountSetattr(fd int, flags uint, attr *MountAttr) error {
	empty := [1]byte{}
	_, _, e := syscall.Syscall6(sysMountSetattr, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(flags|AtEmptyPath), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr), 0)
	return errno(e)
}

// Fsopen is fsopen(2), since v5.2.
func Fsopen(fstype string) (int, error) {
	p, err := syscall.BytePtrFromString(fstype)
	if err != nil {
		return -1, syscall.EINVAL
	}
	fd, _, e := syscall.Syscall(sysFsopen, uintptr(unsafe.Pointer(p)), 1 /* FSOPEN_CLOEXEC */, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// FsconfigString is fsconfig(FSCONFIG_SET_STRING). The kernel takes values of at
// most 255 bytes.
func FsconfigString(fd int, key, value string) error {
	k, err := syscall.BytePtrFromString(key)
	if err != nil {
		return syscall.EINVAL
	}
	v, err := syscall.BytePtrFromString(value)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.Syscall6(sysFsconfig, uintptr(fd), FsconfigSetString,
		uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)), 0, 0)
	return errno(e)
}

// FsconfigFlag is fsconfig(FSCONFIG_SET_FLAG).
func FsconfigFlag(fd int, key string) error {
	k, err := syscall.BytePtrFromString(key)
	if err != nil {
		return syscall.EINVAL
	}
	_, _, e := syscall.Syscall6(sysFsconfig, uintptr(fd), FsconfigSetFlag, uintptr(unsafe.Pointer(k)), 0, 0, 0)
	return errno(e)
}

// FsconfigCreate is fsconfig(FSCONFIG_CMD_CREATE).
func FsconfigCreate(fd int) error {
	_, _, e := syscall.Syscall6(sysFsconfig, uintptr(fd), FsconfigCmdCreate, 0, 0, 0, 0)
	return errno(e)
}

// Fsmount turns a configured fs context into a detached mount with the given
// MountAttr* bits (fsmount(2), since v5.2).
func Fsmount(fd int, attrs uint) (int, error) {
	m, _, e := syscall.Syscall(sysFsmount, uintptr(fd), 1 /* FSMOUNT_CLOEXEC */, uintptr(attrs))
	if e != 0 {
		return -1, e
	}
	return int(m), nil
}
