package specconv

import (
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Policies of sched(7).
const (
	schedFIFO     = 1
	schedRR       = 2
	schedDeadline = 6
)

func schedPolicy(p specs.LinuxSchedulerPolicy) (policy uint32, ok bool) {
	switch p {
	case specs.SchedOther:
		return 0, true
	case specs.SchedFIFO:
		return schedFIFO, true
	case specs.SchedRR:
		return schedRR, true
	case specs.SchedBatch:
		return 3, true
	case specs.SchedIdle:
		return 5, true
	case specs.SchedDeadline:
		return schedDeadline, true
	}
	return 0, false
}

// schedFlag returns the SCHED_FLAG_* bit, 0 for an unknown name.
func schedFlag(f specs.LinuxSchedulerFlag) uint64 {
	switch f {
	case specs.SchedFlagResetOnFork:
		return 0x01
	case specs.SchedFlagReclaim:
		return 0x02
	case specs.SchedFlagDLOverrun:
		return 0x04
	case specs.SchedFlagKeepPolicy:
		return 0x08
	case specs.SchedFlagKeepParams:
		return 0x10
	case specs.SchedFlagUtilClampMin:
		return 0x20
	case specs.SchedFlagUtilClampMax:
		return 0x40
	}
	return 0
}

// scheduler converts process.scheduler by the rules of sched_setattr(2).
func (c *processConverter) scheduler(s *specs.Scheduler) *wire.Scheduler {
	if s == nil {
		return nil
	}
	w := &wire.Scheduler{Nice: s.Nice, Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period}
	policy, ok := schedPolicy(s.Policy)
	realtime := policy == schedFIFO || policy == schedRR
	switch {
	case s.Policy == specs.SchedISO:
		c.fault("process.scheduler.policy: SCHED_ISO is reserved, no kernel implements it")
	case !ok:
		c.fault("process.scheduler.policy: %q is not a scheduling policy", s.Policy)
	case realtime && (s.Priority < 1 || s.Priority > 99):
		c.fault("process.scheduler.priority: %d is not between 1 and 99, as %s needs", s.Priority, s.Policy)
	case !realtime && s.Priority != 0:
		c.fault("process.scheduler.priority: only SCHED_FIFO and SCHED_RR take one")
	case policy != schedDeadline && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		c.fault("process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only")
	}
	if s.Nice < -20 || s.Nice > 19 {
		c.fault("process.scheduler.nice: %d is not between -20 and 19", s.Nice)
	}
	w.Policy = policy
	w.Priority = uint32(max(s.Priority, 0))
	for i, f := range s.Flags {
		bit := schedFlag(f)
		if bit == 0 {
			c.fault("process.scheduler.flags[%d]: %q is not a scheduling flag", i, f)
		}
		w.Flags |= bit
	}
	return w
}

// ioPriority converts class and level into the value of ioprio_set(2).
func (c *processConverter) ioPriority(p *specs.LinuxIOPriority) *int {
	if p == nil {
		return nil
	}
	if p.Priority < 0 || p.Priority > 7 {
		c.fault("process.ioPriority.priority: %d is not between 0 and 7", p.Priority)
	}
	class := 0
	switch p.Class {
	case specs.IOPRIO_CLASS_RT:
		class = 1
	case specs.IOPRIO_CLASS_BE:
		class = 2
	case specs.IOPRIO_CLASS_IDLE:
		class = 3
	default:
		c.fault("process.ioPriority.class: %q is not one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE", p.Class)
	}
	value := class<<13 | p.Priority&7
	return &value
}
