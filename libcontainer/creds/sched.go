package creds

import (
	"strconv"
	"syscall"

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
			return linux.Wrap(privileged("set "+ioPriority(*p.IOPriority), err), err)
		}
	}
	if p.Personality != nil {
		if err := linux.Personality(*p.Personality); err != nil {
			return linux.Wrap("set personality 0x"+strconv.FormatUint(*p.Personality, 16), err)
		}
	}
	if m := p.MemoryPolicy; m != nil {
		if err := linux.SetMempolicy(m.Mode, m.Nodes); err != nil {
			return linux.Wrap("set memory policy "+memoryMode(m.Mode)+" of nodes "+nodeList(m.Nodes), err)
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
	op := "set scheduler " + policyName(s.Policy)
	if s.Nice != 0 {
		op += " with nice " + strconv.Itoa(int(s.Nice))
	}
	if err == syscall.EBUSY {
		op += ": the CPUs have no such time left for deadlines"
	}
	return linux.Wrap(privileged(op, err), err)
}

// privileged explains EPERM: what a thread may do to itself without the capability
// is to lower its claims (sched(7), ioprio_set(2)).
func privileged(op string, err error) string {
	if err == syscall.EPERM {
		op += ": needs CAP_SYS_NICE on the host"
	}
	return op
}

// policyName is the name as in config.json.
func policyName(policy uint32) string {
	switch policy {
	case 0:
		return "SCHED_OTHER"
	case 1:
		return "SCHED_FIFO"
	case 2:
		return "SCHED_RR"
	case 3:
		return "SCHED_BATCH"
	case 5:
		return "SCHED_IDLE"
	case 6:
		return "SCHED_DEADLINE"
	}
	return "policy " + strconv.Itoa(int(policy))
}

// ioPriority takes the number of ioprio_set(2) apart.
func ioPriority(n int) string {
	names := [...]string{"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"}
	if class := n >> 13; class > 0 && class < len(names) {
		return "io priority " + names[class] + " " + strconv.Itoa(n&0x1fff)
	}
	return "io priority " + strconv.Itoa(n)
}

// memoryMode is the name as in config.json, without the flags of the upper bits.
func memoryMode(mode int) string {
	names := [...]string{
		"MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE",
	}
	const flags = 7 << 13 // MPOL_MODE_FLAGS, linux/mempolicy.h
	if n := mode &^ flags; n >= 0 && n < len(names) {
		return names[n]
	}
	return strconv.Itoa(mode)
}

// nodeList lists the bits that are set.
func nodeList(mask []byte) string {
	text := ""
	for i := range 8 * len(mask) {
		if mask[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if text != "" {
			text += ","
		}
		text += strconv.Itoa(i)
	}
	if text == "" {
		return "none"
	}
	return text
}
