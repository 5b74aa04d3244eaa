package creds

import (
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// RaiseRlimits does the privileged part of limits: it raises those hard limits of
// process pid (0: the caller) that are below the wanted ones, which needs
// CAP_SYS_RESOURCE in the host's user namespace. What remains, soft limits and
// lower hard limits, LoadAndExec does without privilege at the last moment: the
// init stage is a Go program, to which a small RLIMIT_AS or RLIMIT_NPROC is fatal.
func RaiseRlimits(pid int, limits []wire.Rlimit) error {
	for i := range limits {
		l := &limits[i]
		if l.Soft > l.Hard {
			return rlimitError(l, syscall.EINVAL)
		}
		soft, hard, err := linux.GetPrlimit(pid, l.Resource)
		if err == nil && l.Hard > hard {
			err = linux.Prlimit(pid, l.Resource, soft, l.Hard)
		}
		if err != nil {
			return rlimitError(l, err)
		}
	}
	return nil
}

// setRlimits sets the final limits of the calling process. RLIMIT_NOFILE, whose
// soft limit the Go runtime of this or of the parent process raised, goes back to
// what berth's caller had when the configuration does not set it.
func setRlimits(p *wire.Process) error {
	restore := p.NofileHard != 0
	for i := range p.Rlimits {
		l := &p.Rlimits[i]
		if l.Resource == syscall.RLIMIT_NOFILE {
			restore = false
		}
		if err := linux.Prlimit(0, l.Resource, l.Soft, l.Hard); err != nil {
			return rlimitError(l, err)
		}
	}
	if !restore {
		return nil
	}
	l := wire.Rlimit{Resource: syscall.RLIMIT_NOFILE, Name: "RLIMIT_NOFILE", Soft: p.NofileSoft, Hard: p.NofileHard}
	if err := linux.Prlimit(0, l.Resource, l.Soft, l.Hard); err != nil {
		return rlimitError(&l, err)
	}
	return nil
}

func rlimitError(l *wire.Rlimit, err error) error {
	return linux.Wrap("setting rlimit "+l.Name+" (soft "+limit(l.Soft)+", hard "+limit(l.Hard)+")", err)
}

func limit(v uint64) string {
	if v == ^uint64(0) {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}
