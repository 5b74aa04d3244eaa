package boot

import (
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"berth/libcontainer/hooks"
	"berth/libcontainer/lsm"
	"berth/libcontainer/rootfs"
	"berth/libcontainer/wire"
)

func (s *stage) prepareRootfs() error {
	if !s.plan.MountNS {
		return nil
	}
	root, err := rootfs.Prepare(&s.plan.Rootfs, rootfs.Options{UserNS: s.plan.UserNS, CgroupNS: s.plan.NewCgroupNS}, s.warn)
	if err != nil {
		return err
	}
	s.root = root
	return nil
}

// createHooks lets the parent run the prestart and createRuntime hooks, then runs
// the createContainer ones: in the container's namespaces, while paths still are
// the host's (OCI runtime spec, config.md, POSIX-platform hooks).
func (s *stage) createHooks() error {
	if s.plan.HostHooks {
		if err := s.conn.Send(wire.KindHooksDue, nil); err != nil {
			return err
		}
		if err := s.conn.Expect(wire.KindProceed); err != nil {
			return err
		}
	}
	return hooks.RunAll("createContainer", s.plan.CreateContainerHooks, s.hookState("creating"))
}

func (s *stage) enterRootfs() error {
	if s.root == nil {
		return rootfs.EnterChroot(s.plan.Rootfs.Path)
	}
	return s.root.Enter()
}

func (s *stage) finishRootfs() error {
	if s.root == nil {
		return nil
	}
	return s.root.Finish()
}

func (s *stage) setNames() error {
	if s.plan.Hostname != "" {
		if err := syscall.Sethostname([]byte(s.plan.Hostname)); err != nil {
			return linux.Wrap("set hostname "+s.plan.Hostname, err)
		}
	}
	if s.plan.Domainname != "" {
		if err := syscall.Setdomainname([]byte(s.plan.Domainname)); err != nil {
			return linux.Wrap("set domainname "+s.plan.Domainname, err)
		}
	}
	return nil
}

// setSysctls writes through a procfs of its own, which no mount of the container
// covers (CVE-2025-52881).
func (s *stage) setSysctls() error {
	if len(s.plan.Sysctls) == 0 {
		return nil
	}
	proc, err := safepath.OpenProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	return rootfs.WriteSysctls(proc, s.plan.Sysctls)
}

// setLabels names the AppArmor profile and the SELinux context that execve takes
// up, through a procfs of its own (CVE-2019-16884).
func (s *stage) setLabels() error {
	p := &s.plan.Process
	if p.AppArmorProfile == "" && p.SELinuxLabel == "" {
		return nil
	}
	proc, err := safepath.OpenProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	if p.SELinuxLabel != "" {
		if err := lsm.SELinux(proc, p.SELinuxLabel); err != nil {
			return err
		}
	}
	if p.AppArmorProfile == "" {
		return nil
	}
	return lsm.AppArmor(proc, p.AppArmorProfile)
}
