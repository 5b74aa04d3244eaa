package launch

import (
	"fmt"
	"runtime"

	"berth/internal/linux"
	"berth/nsenter"
)

// startOn forks the child with a CPU affinity of its own, as the child inherits it
// from the thread that forks: it has it before it enters its cgroup (OCI runtime
// spec, process.execCPUAffinity.initial). A cpuset of the cgroup overrides it.
func startOn(mask []byte, n nsenter.Options) (int, error) {
	if mask == nil {
		return nsenter.Start(n)
	}
	runtime.LockOSThread()
	own, err := linux.SchedGetaffinity()
	if err == nil {
		err = linux.SchedSetaffinity(mask)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return -1, fmt.Errorf("set initial cpu affinity: %w", err)
	}
	pid, err := nsenter.Start(n)
	if linux.SchedSetaffinity(own) == nil {
		runtime.UnlockOSThread()
	} // else: nobody else may have this thread
	return pid, err
}
