package creds

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// LoadAndExec makes the calling thread the workload: limits, affinity, the
// seccomp filter, execve of path with args and env. It returns only on failure;
// the error says which of the steps it was, and for execve also why where
// diagnose knows.
//
// What can be prepared is prepared first. The filter and execve come as the last
// two system calls, back to back: the filter may forbid everything else. If
// execve fails under a filter, reporting it may be forbidden too.
//
// listener takes the fd of a filter whose SeccompNotify is set; nil: there is none.
//
// SECCOMP_FILTER_FLAG_TSYNC is left out: the other threads end at execve, and
// with it an unrelated filter on one of them would make the load fail.
func LoadAndExec(p *wire.Process, path string, args, env []string, listener *linux.Listener) error {
	image, err := linux.NewImage(path, args, env)
	if err != nil {
		return linux.Wrap("exec "+strconv.Quote(path)+": an argument or variable holds a NUL byte", err)
	}
	op := "exec " + strconv.Quote(path)
	if cause := diagnose(path); cause != "" {
		op += ": " + cause
	}
	failed := &linux.OpError{Op: op}
	if err := setRlimits(p); err != nil {
		return err
	}
	if err := setAffinity(p); err != nil {
		return err
	}
	if len(p.SeccompFilter) == 0 {
		failed.Err = image.Exec()
		return failed
	}
	loaded, errno := load(p, image, listener)
	if !loaded {
		return linux.Wrap("load seccomp filter", errno)
	}
	failed.Err = errno
	return failed
}

// load loads the filter and executes the image. Only with a listener the kernel
// takes WAIT_KILLABLE_RECV.
func load(p *wire.Process, image *linux.Image, listener *linux.Listener) (loaded bool, errno syscall.Errno) {
	flags := p.SeccompFlags &^ (linux.SeccompFilterFlagTsync | linux.SeccompFilterFlagTsyncEsrch |
		linux.SeccompFilterFlagNewListener)
	if listener != nil {
		return image.ListenExec(p.SeccompFilter, flags|linux.SeccompFilterFlagNewListener, listener)
	}
	return image.FilterExec(p.SeccompFilter, flags&^linux.SeccompFilterFlagWaitKillRecv)
}
