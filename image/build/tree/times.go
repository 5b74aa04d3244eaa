package tree

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func syscallTime(t unix.Timespec) syscall.Timespec {
	return syscall.Timespec{Sec: t.Sec, Nsec: t.Nsec}
}
