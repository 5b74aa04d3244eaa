package creds

import (
	"strconv"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// LoadAndExec makes the calling thread the workload: limits, affinity, the
// seccomp filter, execve of path with args and env. It returns only on failure;
// the error says which of the steps it was, and for execve also why where
// Diagnose knows.
//
// What can be prepared is prepared first. The filter and execve come as the last
// two system calls, back to back: the filter may forbid everything else. If
// execve fails under a filter, reporting it may be forbidden too.
//
// SECCOMP_FILTER_FLAG_TSYNC is left out: the other threads end at execve, and
// with it an unrelated filter on one of them would make the load fail.
func LoadAndExec(p *wire.Process, path string, args, env []string) error {
	image, err := linux.NewImage(path, args, env)
	if err != nil {
		return linux.Wrap("exec "+strconv.Quote(path)+": an argument or variable holds a NUL byte", err)
	}
	op := "exec " + strconv.Quote(path)
	if cause := Diagnose(path); cause != "" {
		op += ": " + cause
	}
	failed := &linux.OpError{Op: op}
	if err := setRlimits(p); err != nil {
		return err
	}
	if len(p.FinalAffinity) > 0 {
		if err := linux.SchedSetaffinity(p.FinalAffinity); err != nil {
			return linux.Wrap("set final cpu affinity", err)
		}
	}
	if len(p.SeccompFilter) == 0 {
		failed.Err = image.Exec()
		return failed
	}
	loaded, errno := image.FilterExec(p.SeccompFilter, filterFlags(p))
	if !loaded {
		return linux.Wrap("load seccomp filter", errno)
	}
	failed.Err = errno
	return failed
}

// filterFlags are the seccomp(2) flags for a filter without a listener, with
// which alone the kernel takes WAIT_KILLABLE_RECV.
func filterFlags(p *wire.Process) uint64 {
	return p.SeccompFlags &^ (linux.SeccompFilterFlagTsync | linux.SeccompFilterFlagTsyncEsrch |
		linux.SeccompFilterFlagNewListener | linux.SeccompFilterFlagWaitKillRecv)
}

// LoadWithListener loads the filter of a process whose SeccompNotify is set and
// returns the listener fd, close-on-exec, which the caller hands to the receiver.
// The filter is in force then: unlike with LoadAndExec it must allow the calls
// for that (sendmsg), or the parent takes the fd with pidfd_getfd(2). The caller
// empties SeccompFilter before LoadAndExec.
func LoadWithListener(p *wire.Process) (int, error) {
	flags := p.SeccompFlags &^ (linux.SeccompFilterFlagTsync | linux.SeccompFilterFlagTsyncEsrch)
	fd, err := linux.Seccomp(p.SeccompFilter, flags|linux.SeccompFilterFlagNewListener)
	if err != nil {
		return -1, linux.Wrap("load seccomp filter with a listener", err)
	}
	return fd, nil
}
