package log

import (
	"syscall"
	"unsafe"
)

// isTerminal asks for terminal attributes, which only a terminal has.
func isTerminal(fd int) bool {
	var t syscall.Termios
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, uintptr(unsafe.Pointer(&t)))
	return e == 0
}
