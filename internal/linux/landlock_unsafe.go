package linux

import (
	"syscall"
	"unsafe"
)

// Access rights of landlock(7) that programs name.
const (
	LandlockFSExecute    = 1 << 0
	LandlockFSWriteFile  = 1 << 1
	LandlockFSReadFile   = 1 << 2
	LandlockFSReadDir    = 1 << 3
	LandlockFSRemoveDir  = 1 << 4
	LandlockFSRemoveFile = 1 << 5
	LandlockFSMakeChar   = 1 << 6
	LandlockFSMakeDir    = 1 << 7
	LandlockFSMakeReg    = 1 << 8
	LandlockFSMakeSock   = 1 << 9
	LandlockFSMakeFifo   = 1 << 10
	LandlockFSMakeBlock  = 1 << 11
	LandlockFSMakeSym    = 1 << 12
	LandlockFSRefer      = 1 << 13 // ABI 2
	LandlockFSTruncate   = 1 << 14 // ABI 3
	LandlockFSIoctlDev   = 1 << 15 // ABI 5

	LandlockNetBindTCP    = 1 << 0 // ABI 4
	LandlockNetConnectTCP = 1 << 1

	LandlockScopeAbstractUnix = 1 << 0 // ABI 6
	LandlockScopeSignal       = 1 << 1
)

// LandlockRuleset is struct landlock_ruleset_attr: what a ruleset forbids unless a
// rule allows it.
type LandlockRuleset struct {
	FS, Net, Scoped uint64
}

// LandlockABI returns the kernel's version of Landlock (landlock_create_ruleset(2),
// LANDLOCK_CREATE_RULESET_VERSION): ENOSYS before v5.13 and where it is not built
// in, EOPNOTSUPP where it is switched off.
func LandlockABI() (int, error) {
	const version = 1
	abi, _, e := syscall.RawSyscall(sysLandlockCreateRuleset, 0, 0, version)
	return int(abi), errno(e)
}

// LandlockCreate is landlock_create_ruleset(2) for a kernel of the given ABI, which
// must know all bits of r.
func LandlockCreate(r LandlockRuleset, abi int) (int, error) {
	size := unsafe.Sizeof(r)
	switch {
	case abi < 4:
		size = unsafe.Offsetof(r.Net)
	case abi < 6:
		size = unsafe.Offsetof(r.Scoped)
	}
	fd, _, e := syscall.RawSyscall(sysLandlockCreateRuleset, uintptr(unsafe.Pointer(&r)), size, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// LandlockAllowPath allows access at and below the file that is open at fd.
func LandlockAllowPath(ruleset int, access uint64, fd int) error {
	const pathBeneath = 1
	// struct landlock_path_beneath_attr is packed, and the kernel reads 12 bytes.
	attr := struct {
		access uint64
		fd     int32
	}{access, int32(fd)}
	_, _, e := syscall.RawSyscall6(sysLandlockAddRule, uintptr(ruleset), pathBeneath, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	return errno(e)
}

// LandlockAllowPort allows access to a TCP port.
func LandlockAllowPort(ruleset int, access, port uint64) error {
	const netPort = 2
	attr := [2]uint64{access, port}
	_, _, e := syscall.RawSyscall6(sysLandlockAddRule, uintptr(ruleset), netPort, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	return errno(e)
}

// LandlockRestrict puts the calling thread under the ruleset, for good. It needs
// no_new_privs or CAP_SYS_ADMIN.
func LandlockRestrict(ruleset int) error {
	_, _, e := syscall.RawSyscall(sysLandlockRestrictSelf, uintptr(ruleset), 0, 0)
	return errno(e)
}
