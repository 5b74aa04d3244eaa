package creds

import (
	"strconv"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Scheduling applies the scheduler (unless it is to come after the hooks), I/O
// priority, personality and memory policy of p, each only where set.
func Scheduling(p *wire.Process) error {
	if p.Scheduler != nil && !p.Scheduler.AfterHooks {
		if err := setScheduler(p.Scheduler); err != nil {
			return err
		}
	}
	if p.IOPriority != nil {
		if err := linux.IoprioSet(*p.IOPriority); err != nil {
			return linux.Wrap("set io priority "+strconv.Itoa(*p.IOPriority), err)
		}
	}
	if p.Personality != nil {
		if err := linux.Personality(*p.Personality); err != nil {
			return linux.Wrap("set personality 0x"+strconv.FormatUint(*p.Personality, 16), err)
		}
	}
	if m := p.MemoryPolicy; m != nil {
		if err := linux.SetMempolicy(m.Mode, m.Nodes); err != nil {
			return linux.Wrap("set memory policy 0x"+strconv.FormatUint(uint64(uint32(m.Mode)), 16), err)
		}
	}
	return nil
}

// SchedulingAfterHooks applies the scheduler that had to wait for the hooks, and
// gives up CAP_SYS_NICE, which Capabilities kept for it, unless the workload is to
// have it.
func SchedulingAfterHooks(p *wire.Process) error {
	if p.Scheduler == nil || !p.Scheduler.AfterHooks {
		return nil
	}
	if err := setScheduler(p.Scheduler); err != nil {
		return err
	}
	effective, permitted, inheritable, err := linux.Capget()
	if err != nil {
		return linux.Wrap("read capabilities", err)
	}
	const nice = 1 << linux.CapSysNice
	want := sets(p)
	effective &^= nice &^ want.Effective
	permitted &^= nice &^ want.Permitted
	return linux.Wrap("give up CAP_SYS_NICE", linux.Capset(effective&permitted, permitted, inheritable))
}

func setScheduler(s *wire.Scheduler) error {
	err := linux.SchedSetattr(linux.SchedAttr{
		Policy: s.Policy, Flags: s.Flags, Nice: s.Nice, Priority: s.Priority,
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	})
	return linux.Wrap("set scheduler policy "+strconv.Itoa(int(s.Policy)), err)
}
