package linux

import (
	"syscall"
	"unsafe"
)

// Winsize is struct winsize of TIOCSWINSZ, in characters.
type Winsize struct {
	Rows, Cols, xpixel, ypixel uint16
}

// The pty requests have these values on every architecture with the generic
// ioctl encoding (not on mips, powerpc, sparc and alpha).
const (
	tiocSPTLCK  = 0x40045431
	tiocGPTN    = 0x80045430
	tiocGPTPEER = 0x5441
)

// UnlockPty makes the slave of a pty master openable (TIOCSPTLCK).
func UnlockPty(master int) error {
	var unlock int32
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), tiocSPTLCK, uintptr(unsafe.Pointer(&unlock)))
	return errno(e)
}

// PtyNumber returns N of the pts/N that belongs to master (TIOCGPTN).
func PtyNumber(master int) (int, error) {
	var n uint32
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), tiocGPTN, uintptr(unsafe.Pointer(&n)))
	return int(n), errno(e)
}

// PtyPeer opens the slave of master without a path (TIOCGPTPEER, since v4.13).
func PtyPeer(master int, flags int) (int, error) {
	fd, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), tiocGPTPEER, uintptr(flags|syscall.O_CLOEXEC))
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// SetWinsize is TIOCSWINSZ.
func SetWinsize(fd int, size Winsize) error {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	return errno(e)
}
