package boot

import (
	"errors"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/lsm"
)

// newSession makes the process a session leader, so that it can take a terminal
// and signals of the caller's terminal do not reach it. EPERM: it leads one.
func (s *stage) newSession() error {
	if _, err := syscall.Setsid(); err != nil && err != syscall.EPERM {
		return linux.Wrap("setsid", err)
	}
	return nil
}

// loopbackUp brings up the loopback device of a new network namespace, as runc and
// crun do: nobody else does it for a container without an engine's network. An outer
// sandbox may have kept CAP_NET_ADMIN to itself, which most workloads can live with.
func (s *stage) loopbackUp() error {
	if !s.plan.NewNetNS {
		return nil
	}
	err := linux.NetDeviceUp("lo")
	if errors.Is(err, syscall.EPERM) {
		s.warn("loopback device not brought up: " + err.Error())
		return nil
	}
	return linux.Wrap("bring loopback device up", err)
}

// openProc opens the procfs that labels and sysctls are written through, when
// there are any: the host's, before the container's mounts can cover anything
// (CVE-2025-52881), or in an exec, whose /proc is the container's, a private one,
// which costs an RCU wait when it is closed.
func (s *stage) openProc() (err error) {
	p := &s.plan.Process
	if s.plan.KeyringLabel == "" && p.SELinuxLabel == "" && p.AppArmorProfile == "" && len(s.plan.Sysctls) == 0 {
		return nil
	}
	if s.plan.Exec {
		s.proc, err = safepath.OpenProc()
	} else {
		s.proc, err = safepath.HostProc()
	}
	return err
}

// joinKeyring gives the container a session keyring of its own and lets its owner
// search it (keyctl(2)). Kernels and outer sandboxes without keyrings are fine:
// then there is nothing to keep apart.
func (s *stage) joinKeyring() error {
	if s.plan.KeyringName == "" {
		return nil
	}
	if s.plan.KeyringLabel != "" {
		if err := lsm.SELinuxKeyring(s.proc, s.plan.KeyringLabel); err != nil {
			return err
		}
	}
	id, err := linux.KeyctlJoinSession(s.plan.KeyringName)
	switch err {
	case nil:
	case syscall.ENOSYS, syscall.EPERM, syscall.EACCES, syscall.EDQUOT:
		s.warn("session keyring " + s.plan.KeyringName + " not joined: " + err.Error())
		return nil
	default:
		return linux.Wrap("join session keyring "+s.plan.KeyringName, err)
	}
	const (
		keyctlSetperm  = 5
		possessorAll   = 0x3f << 24
		userSearchView = 0x8<<16 | 0x1<<16
	)
	if _, err := linux.Keyctl(keyctlSetperm, uintptr(id), possessorAll|userSearchView); err != nil && err != syscall.EACCES {
		return linux.Wrap("set permissions of session keyring "+s.plan.KeyringName, err)
	}
	return nil
}
