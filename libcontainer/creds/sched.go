package creds

import (
	"strconv"

	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// Scheduling applies the scheduler, I/O priority, personality and memory policy
// of p, each only where set.
//
// A thread under SCHED_DEADLINE may not fork (sched(7)) unless its flags say
// reset-on-fork: hooks that run inside must come first.
func Scheduling(p *wire.Process) error {
	if s := p.Scheduler; s != nil {
		err := linux.SchedSetattr(linux.SchedAttr{
			Policy: s.Policy, Flags: s.Flags, Nice: s.Nice, Priority: s.Priority,
			Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
		})
		if err != nil {
			return linux.Wrap("set scheduler policy "+strconv.Itoa(int(s.Policy)), err)
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
