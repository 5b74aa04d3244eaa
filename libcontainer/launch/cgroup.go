package launch

import (
	"errors"
	"fmt"
	"strconv"

	"berth/nsenter"

	"golang.org/x/sys/unix"
)

// forkInto starts the child in its v2 cgroup. Kernels before v5.7 refuse that, and so
// does delegation; then the pid is written to cgroup.procs, which waits for an RCU
// grace period.
func (c *Child) forkInto(n nsenter.Options, o Options) (err error) {
	if o.Cgroup == nil || o.Cgroup.Dir < 0 {
		c.PID, err = startOn(o.Affinity, n)
		return err
	}
	if !o.Crowded {
		err = o.enter(func(dir int) (err error) {
			n.CgroupFD = dir
			c.PID, err = startOn(o.Affinity, n)
			return err
		})
		// The room may be used up meanwhile.
		o.Crowded = o.Target != nil && errors.Is(err, unix.EAGAIN)
		if !o.Crowded && !refusesCgroup(err) {
			return err
		}
	}
	n.CgroupFD = -1
	if c.PID, err = startOn(o.Affinity, n); err != nil {
		return err
	}
	if o.Crowded {
		c.late = append(c.late, func() error { return c.move(&o) })
		return nil
	}
	return c.move(&o)
}

// move moves the child with all its threads into its v2 cgroup, whose pids limit does
// not count for that (pids_can_attach, kernel/cgroup/pids.c).
func (c *Child) move(o *Options) error {
	err := o.enter(func(dir int) error { return addPid(dir, c.PID) })
	if o.AddToCgroup != nil && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) {
		return o.AddToCgroup(c.PID)
	}
	return err
}

// enterLate moves the child where it was not to be before it is ready.
func (c *Child) enterLate() error {
	for _, enter := range c.late {
		if err := enter(); err != nil {
			return err
		}
	}
	c.late = nil
	return nil
}

// addThread moves the first thread of a process, which its execve leaves, into the v1
// cgroups that the tasks files belong to.
func addThread(tasks []int, pid int) error {
	for _, fd := range tasks {
		if _, err := unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10)); err != nil {
			return fmt.Errorf("move process %d into its cgroup: %w", pid, err)
		}
	}
	return nil
}

// enter tries the cgroup, and OtherCgroup if that one takes no processes: it gives
// controllers to its children (EBUSY), or is part of no domain (EOPNOTSUPP).
func (o *Options) enter(try func(dir int) error) error {
	err := try(o.Cgroup.Dir)
	if o.OtherCgroup == nil || !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	j, e := o.OtherCgroup()
	if e != nil {
		return fmt.Errorf("%w; %w", err, e)
	}
	defer unix.Close(j.Dir)
	return try(j.Dir)
}

// addPid moves a process into the v2 cgroup dir.
func addPid(dir, pid int) error {
	fd, err := unix.Openat(dir, "cgroup.procs", unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
		unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("move process %d into its cgroup: %w", pid, err)
	}
	return nil
}

// refusesCgroup tells whether CLONE_INTO_CGROUP itself may have failed. EINVAL,
// ENOSYS and E2BIG come from old kernels, EOPNOTSUPP and EBUSY from cgroups that may
// hold no process, EACCES and EPERM from delegation.
func refusesCgroup(err error) bool {
	var e *nsenter.Error
	if !errors.As(err, &e) || (e.Step != nsenter.StepFork && e.Step != nsenter.StepClone) {
		return false
	}
	switch e.Errno {
	case unix.EINVAL, unix.ENOSYS, unix.E2BIG, unix.EOPNOTSUPP, unix.EBUSY, unix.EACCES, unix.EPERM:
		return true
	case unix.EAGAIN:
		// Stage 1 has the last place below pids.max, which is the child's.
		return e.Step == nsenter.StepClone
	}
	return false
}
