package boot

import (
	"syscall"

	"berth/internal/linux"
)

// joinCgroup enters the v1 cgroups by writing "0" to their tasks files: a thread
// that moves itself alone skips the wait for an RCU grace period that
// cgroup.procs takes (cgroup_attach_lock, kernel/cgroup/cgroup.c). Memory is
// charged to the thread-group leader's cgroup, and this thread is the leader.
// Where a v2 cgroup is used, the process was born in it.
func (s *stage) joinCgroup() error {
	for _, fd := range s.plan.CgroupTasks {
		if _, err := syscall.Write(fd, []byte("0")); err != nil {
			return linux.Wrap("write \"0\" to tasks", err)
		}
	}
	for _, fd := range s.plan.CgroupTasks {
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	if s.plan.NewCgroupNS {
		if err := syscall.Unshare(linux.CLONE_NEWCGROUP); err != nil {
			return linux.Wrap("unshare cgroup namespace", err)
		}
	}
	return nil
}
