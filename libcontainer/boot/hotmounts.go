package boot

import (
	"syscall"

	"berth/internal/linux"
	"berth/libcontainer/rootfs"
	"berth/libcontainer/wire"
)

// mountSteps change the mounts of a container that runs. The stage is in the
// container's user namespace, and in its pid, network, ipc or cgroup namespace where
// a file system is to be made that shows them; it is root there, and no process of
// the container sees it unless it joined the pid namespace.
//
//	sources before enter   they are paths of the host
//	all mounts or none     what was made is undone when one fails
var mountSteps = []step{
	{"sources", (*stage).openSources},
	{"enter", (*stage).enterMountNS},
	{"mounts", (*stage).changeMounts},
	{"ready", (*stage).mountsDone},
}

func (s *stage) openSources() error { return rootfs.OpenSources(s.plan.Rootfs.Mounts, s.plan.UserNS) }

// enterMountNS moves this thread into the container's mount namespace. The other
// threads of the Go runtime share its root and working directory, which setns(2)
// does not allow (EINVAL).
func (s *stage) enterMountNS() error {
	if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
		return linux.Wrap("unshare working directory", err)
	}
	if err := linux.Setns(s.plan.HotMounts.NS, linux.CLONE_NEWNS); err != nil {
		return linux.Wrap("enter mount namespace", err)
	}
	return nil
}

func (s *stage) changeMounts() error {
	for _, path := range s.plan.HotMounts.Remove {
		if err := rootfs.Unmount(path); err != nil {
			return linux.Wrap("unmount "+path, err)
		}
	}
	if len(s.plan.Rootfs.Mounts) == 0 {
		return nil
	}
	return rootfs.Add(&s.plan.Rootfs, rootfs.Options{UserNS: s.plan.UserNS}, s.warn)
}

// mountsDone ends the stage: there is no workload.
func (s *stage) mountsDone() error {
	if err := s.conn.Send(wire.KindReady, nil); err != nil {
		return err
	}
	syscall.Exit(0)
	return nil
}
