package stats

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return &v }

func TestReadCPU(t *testing.T) {
	m := cgroup(t, nil)
	r := open(t, m.Record())
	helper(t, m, "burn")
	cgtest.Until(t, "CPU time is counted", func() bool {
		s := read(t, r)
		return s.CPU != nil && s.CPU.Usage.Total > 2e7 && s.CPU.Usage.User > 0
	})
	s := read(t, r)
	if s.CPU.Usage.Percpu != nil {
		sum := uint64(0)
		for _, n := range s.CPU.Usage.Percpu {
			sum += n
		}
		if sum < 2e7 || len(s.CPU.Usage.PercpuUser) != len(s.CPU.Usage.Percpu) || len(s.CPU.Usage.PercpuKernel) != len(s.CPU.Usage.Percpu) {
			t.Errorf("per CPU: %+v", s.CPU.Usage)
		}
	}
	if s.Pids == nil || s.Pids.Current == 0 {
		t.Errorf("pids: %+v", s.Pids)
	}
}

func TestReadThrottling(t *testing.T) {
	m := cgroup(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr(int64(5000)), Period: ptr(uint64(50000))}})
	r := open(t, m.Record())
	helper(t, m, "burn")
	cgtest.Until(t, "the quota throttles", func() bool {
		th := read(t, r).CPU.Throttling
		return th != nil && th.Periods > 0 && th.ThrottledPeriods > 0 && th.ThrottledTime > 0
	})
}

// A huge page counts from when it is reserved.
func TestReadHugetlb(t *testing.T) {
	free, err := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
	if err != nil || string(free) == "0\n" {
		t.Skipf("needs a free huge page of 2 MiB: %q %v", free, err)
	}
	m := cgroup(t, &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}})
	r := open(t, m.Record())
	if got := read(t, r).Hugetlb["2MB"]; got.Usage != 0 {
		t.Errorf("at the start: %+v", got)
	}
	helper(t, m, "reserve")
	cgtest.Until(t, "a reserved page is counted", func() bool { return read(t, r).Hugetlb["2MB"].Usage == 2<<20 })
}

func TestReadLimits(t *testing.T) {
	m := cgroup(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(33))},
		CPU:    &specs.LinuxCPU{Cpus: "0", Mems: "0"},
	})
	r := open(t, m.Record())
	helper(t, m, "hold")
	cgtest.Until(t, "8 MiB are used", func() bool { return read(t, r).Memory.Usage.Usage >= 8<<20 })
	s := read(t, r)
	if s.Memory.Usage.Limit != 64<<20 || s.Memory.Usage.Max < 8<<20 || len(s.Memory.Raw) < 10 {
		t.Errorf("memory: %+v", s.Memory)
	}
	if s.Pids.Limit != 33 {
		t.Errorf("pids: %+v", s.Pids)
	}
	if s.CPUSet == nil || len(s.CPUSet.CPUs) != 1 || len(s.CPUSet.Mems) != 1 {
		t.Errorf("cpuset: %+v", s.CPUSet)
	}
	if l, err := cgfile.Detect(); err == nil && !l.V2 {
		if s.Memory.Kernel == nil || s.Memory.KernelTCP == nil || s.Memory.Kernel.Limit == 0 {
			t.Errorf("kernel memory: %+v", s.Memory)
		}
		if s.CPUSet.CPUSetFlags == nil || s.CPUSet.SchedLoadBalance != 1 || s.CPUSet.SchedRelaxDomainLevel != -1 {
			t.Errorf("cpuset flags: %+v", s.CPUSet.CPUSetFlags)
		}
	}
}

// A controller that is not there shows as a missing section, not as zeros.
func TestMissingControllers(t *testing.T) {
	m := cgroup(t, nil)
	rec := m.Record()
	only := cgroups.Record{Driver: rec.Driver, Paths: map[string]string{}}
	for _, c := range []string{"pids", ""} {
		if p := rec.Paths[c]; p != "" {
			only.Paths[c] = p
		}
	}
	data, err := json.Marshal(read(t, open(t, only)))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Paths[""] != "" {
		t.Skip("the host has cgroup v2: all controllers are in one place")
	}
	if string(data) != `{"pids":{}}` {
		t.Errorf("%s", data)
	}
}

func TestNoCgroup(t *testing.T) {
	for _, rec := range []cgroups.Record{
		{Driver: "disabled"},
		{Paths: map[string]string{"": ""}},
		{Paths: map[string]string{"memory": filepath.Join(cgfile.Root, "memory/berth-never-made")}},
	} {
		if _, err := Open(rec); !errors.Is(err, cgroups.ErrNoCgroup) {
			t.Errorf("%v: %v", rec, err)
		}
	}
	if _, err := Open(cgroups.Record{Paths: map[string]string{"memory": t.TempDir()}}); err == nil || !strings.Contains(err.Error(), "not on a cgroup file system") {
		t.Errorf("a plain directory: %v", err)
	}
}

// The directory is pinned: one of the same name made later is another cgroup.
func TestRemovedIsNotReplaced(t *testing.T) {
	m := cgroup(t, nil)
	r := open(t, m.Record())
	if err := m.Destroy(); err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	if s, err := r.Read(); err == nil && s.Pids != nil {
		t.Errorf("read %+v from a removed cgroup", s.Pids)
	}
}

func TestReadCostsNoFDs(t *testing.T) {
	m := cgroup(t, nil)
	r := open(t, m.Record())
	read(t, r)
	runtime.GC() // finalizers of os.File, which ReadDir uses
	before := countFDs(t)
	for range 10 {
		read(t, r)
	}
	if after := countFDs(t); after > before {
		t.Errorf("%d file descriptors before, %d after", before, after)
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestWatchOOM(t *testing.T) {
	m := cgroup(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}})
	r := open(t, m.Record())
	w, err := r.WatchOOM()
	if err != nil {
		t.Fatal(err)
	}
	if w == nil {
		t.Skip("the host has no memory controller")
	}
	t.Cleanup(w.Close)
	if out, err := w.Check(); out || err != nil {
		t.Fatalf("before: %v %v", out, err)
	}
	cmd := helper(t, m, "eat")
	fds := []unix.PollFd{w.PollFd()}
	for {
		n, err := unix.Poll(fds, 20_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("no event: %d %v", n, err)
		}
		break
	}
	cgtest.Until(t, "memory runs out", func() bool {
		out, err := w.Check()
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
	if n := read(t, r).Memory.Events["oom_kill"]; n == 0 {
		t.Error("the kill is not counted")
	}
	// One event is reported once; the removal of the cgroup is none.
	if _, err := w.Check(); err != nil {
		t.Error(err)
	}
	if err := m.Destroy(); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Check(); out || err != nil {
		t.Errorf("after removal: %v %v", out, err)
	}
}

// Nothing to watch is nothing to wait for.
func TestNoWatch(t *testing.T) {
	var w *OOMWatch
	if out, err := w.Check(); out || err != nil || w.PollFd().Fd != -1 {
		t.Errorf("%v %v %v", out, err, w.PollFd())
	}
	w.Close()
}
