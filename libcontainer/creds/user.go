package creds

import (
	"errors"
	"strconv"
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// noID is (uid_t)-1: setresuid(2) takes it for "leave as it is", so a process
// that asks for it would stay root.
const noID = ^uint32(0)

// User takes the groups, gid and uid of p and keeps the permitted capabilities.
// noSetgroups says that the kernel refuses setgroups(2) in this user namespace.
func User(p *wire.Process, noSetgroups bool) error {
	if p.UID == noID || p.GID == noID {
		return linux.Wrap("set uid "+id(p.UID)+", gid "+id(p.GID)+": "+id(noID)+" is not an id", syscall.EINVAL)
	}
	if err := groups(p, noSetgroups); err != nil {
		return err
	}
	if err := linux.Setresgid(p.GID, p.GID, p.GID); err != nil {
		return unmapped("set gid "+id(p.GID), err)
	}
	if p.UID != 0 {
		// Without it the switch from root would empty the permitted set
		// (capabilities(7), "Effect of user ID changes"). execve clears the flag.
		if err := linux.Prctl(linux.PrSetKeepcaps, 1, 0, 0, 0); err != nil {
			return linux.Wrap("keep capabilities over the change of uid", err)
		}
	}
	if err := linux.Setresuid(p.UID, p.UID, p.UID); err != nil {
		return unmapped("set uid "+id(p.UID), err)
	}
	return nil
}

func groups(p *wire.Process, noSetgroups bool) error {
	if !p.SetGroups {
		return nil
	}
	if noSetgroups {
		if len(p.Groups) == 0 {
			return nil
		}
		return errors.New("set additional groups: this user namespace does not allow setgroups (it needs newgidmap or a privileged parent)")
	}
	if err := linux.Setgroups(p.Groups); err != nil {
		op := "set additional groups"
		for _, g := range p.Groups {
			op += " " + id(g)
		}
		return unmapped(op, err)
	}
	return nil
}

// unmapped explains EINVAL, which the kernel returns for ids without a mapping.
func unmapped(op string, err error) error {
	if err == syscall.EINVAL {
		op += ": not mapped in the user namespace"
	}
	return linux.Wrap(op, err)
}

func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// Umask sets the file mode creation mask of p, unless it is -1.
func Umask(p *wire.Process) {
	if p.Umask >= 0 {
		syscall.Umask(p.Umask)
	}
}

// NoNewPrivs makes execve(2) grant nothing that the thread does not have already
// (PR_SET_NO_NEW_PRIVS), which also allows to load a seccomp filter.
func NoNewPrivs() error {
	return linux.Wrap("set no_new_privs", linux.Prctl(linux.PrSetNoNewPrivs, 1, 0, 0, 0))
}
