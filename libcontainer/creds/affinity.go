package creds

import (
	"berth/internal/linux"
	"berth/libcontainer/wire"
)

// mostCPUs is more than any kernel is built for (CONFIG_NR_CPUS, 8192 at most).
const mostCPUs = 8192

// setAffinity says on which CPUs the workload runs, once it is in its cgroup.
//
// A service with CPUAffinity= of systemd confines what it starts, engines and berth with
// them. A cpuset used to put an end to that when it was joined; since Linux 6.2 it leaves
// what somebody has asked for by sched_setaffinity(2) (da019032819a). So all CPUs are
// asked for, and the kernel takes those of the cpuset. A mask that ends too early would
// take CPUs away (runc issue 5023).
func setAffinity(p *wire.Process) error {
	if p.AllCPUs {
		var all [mostCPUs / 8]byte
		for i := range all {
			all[i] = 0xff
		}
		return linux.Wrap("lift cpu affinity", linux.SchedSetaffinity(all[:]))
	}
	if len(p.FinalAffinity) == 0 {
		return nil
	}
	return linux.Wrap("set final cpu affinity", linux.SchedSetaffinity(p.FinalAffinity))
}
