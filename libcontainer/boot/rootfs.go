package boot

import (
	"syscall"

	"berth/internal/linux"
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

func (s *stage) setSysctls() error {
	if len(s.plan.Sysctls) == 0 {
		return nil
	}
	return rootfs.WriteSysctls(s.proc, s.plan.Sysctls)
}

// setLabels names the AppArmor profile and the SELinux context that execve takes
// up (CVE-2019-16884).
func (s *stage) setLabels() error {
	p := &s.plan.Process
	if p.SELinuxLabel != "" {
		if err := lsm.SELinux(s.proc, p.SELinuxLabel); err != nil {
			return err
		}
	}
	if p.AppArmorProfile == "" {
		return nil
	}
	return lsm.AppArmor(s.proc, p.AppArmorProfile)
}
