package integration

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// firstCPU returns a CPU the suite may run on.
func firstCPU(x *Test) string {
	x.Helper()
	for line := range strings.Lines(x.ReadFile("/proc/self/status")) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return strings.FieldsFunc(strings.TrimSpace(list), func(r rune) bool { return r == '-' || r == ',' })[0]
		}
	}
	x.Fatalf("no Cpus_allowed_list")
	return ""
}

func cpuAffinity(initial, final string) Edit {
	return func(s *specs.Spec) {
		s.Version = "1.3.0"
		s.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: initial, Final: final}
	}
}

// What confines the caller, CPUAffinity= of an engine's service for one, does not confine
// containers: their cpuset does (runc since 1.3.1, crun since 1.9.2).
func TestAffinityOfTheCaller(t *testing.T) {
	x := New(t, Berth)
	free := x.Report().Status["Cpus_allowed_list"]
	cpu := firstCPU(x)
	if free == cpu {
		t.Skipf("needs a second CPU: there is CPU %s only", cpu)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	x.Must(unix.SchedGetaffinity(0, &all))
	number, err := strconv.Atoi(cpu)
	x.Must(err)
	one.Set(number)
	x.Must(unix.SchedSetaffinity(0, &one)) // which children of this thread inherit
	defer func() { x.Must(unix.SchedSetaffinity(0, &all)) }()
	Equal(x, "run", x.Report().Status["Cpus_allowed_list"], free)
	Equal(x, "exec", x.Up().Report().Status["Cpus_allowed_list"], free)
}

// The first process has no part in execCPUAffinity, an exec runs where final says:
// by the container's config, or by its own.
func TestExecCPUAffinity(t *testing.T) {
	x := New(t, Berth)
	cpu := firstCPU(x)
	free := x.Report(cpuAffinity(cpu, cpu)).Status["Cpus_allowed_list"]
	c := x.Up(cpuAffinity(cpu, cpu))
	Equal(x, "exec of the container's process", c.Report().Status["Cpus_allowed_list"], cpu)

	file := func(edit Edit) string {
		s := x.DefaultSpec(x.ID)
		Args("/bin/probe", "report")(s)
		edit(s)
		data, err := json.Marshal(s.Process)
		x.Must(err)
		return x.WriteFile("process.json", string(data), 0o644)
	}
	process := func(edit Edit) (r Report) {
		x.JSON(x.OK("exec", "--process", file(edit), c.ID).Stdout, &r)
		return r
	}
	Equal(x, "exec --process that says nothing", process(func(*specs.Spec) {}).Status["Cpus_allowed_list"], cpu)
	// Without a final one the kernel decides: a cpuset replaces the initial one.
	if got := process(cpuAffinity(cpu, "")).Status["Cpus_allowed_list"]; got != cpu && got != free {
		x.Errorf("exec --process with no final: CPUs %s, want %s or %s", got, cpu, free)
	}
	for what, edit := range map[string]Edit{
		"initial": cpuAffinity("8191", ""), "final": cpuAffinity("", "8191"),
	} {
		x.Refused(x.Do("exec", "--process", file(edit), c.ID), 255, "set "+what+" cpu affinity: invalid argument")
	}
	x.Refused(x.Do("exec", "--process", file(cpuAffinity("0-", "")), c.ID), 255, `execCPUAffinity.initial: "0-" is not a list`)
}

// Personality and memory policy are the container's, not the first process's alone.
func TestExecPersonality(t *testing.T) {
	x := New(t, Berth)
	c := x.Up(func(s *specs.Spec) {
		s.Version = "1.3.0"
		s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32, Flags: []specs.LinuxPersonalityFlag{"SHORT_INODE"}}
		if _, err := os.Stat("/proc/self/numa_maps"); err == nil {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolInterleave, Nodes: "0"}
		}
	})
	const want = 0x1000008
	Equal(x, "personality of exec", c.Report().Personality, want)
	if c.Bundle.Spec.Linux.MemoryPolicy != nil {
		x.Contains("numa_maps of exec", c.ExecOK("/bin/cat", "/proc/self/numa_maps"), "interleave:0")
	}
}

// An ordinary user may lower what he claims of CPUs and disks, never raise it; the
// refusal says what it takes. Memory policies are free for all.
func TestSchedulingOfUser(t *testing.T) {
	x := New(t, Berth, AsUser, UserNS)
	const cure = "needs CAP_SYS_NICE on the host"
	for name, c := range map[string]struct {
		edit Edit
		want string
	}{
		"fifo":     {scheduled(specs.Scheduler{Policy: specs.SchedFIFO, Priority: 3}), "set scheduler SCHED_FIFO: " + cure},
		"nice":     {scheduled(specs.Scheduler{Policy: specs.SchedOther, Nice: -20}), "set scheduler SCHED_OTHER with nice -20: " + cure},
		"deadline": {scheduled(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1 << 20, Deadline: 1 << 24, Period: 1 << 24}), "set scheduler SCHED_DEADLINE: " + cure},
		"disk": {func(s *specs.Spec) {
			s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT, Priority: 2}
		}, "set io priority IOPRIO_CLASS_RT 2: " + cure},
	} {
		x.Sub(name, func(y *Test) {
			r := y.Foreground(y.Bundle(c.edit))
			y.Refused(r, 1, c.want+": operation not permitted")
			y.Contains("hint", hintIn(r), "run it as root")
			y.NothingLeft()
		}, AsUser)
	}
	r := x.Report(scheduled(specs.Scheduler{Policy: specs.SchedBatch, Nice: 19}), func(s *specs.Spec) {
		s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE}
		if _, err := os.Stat("/proc/self/numa_maps"); err == nil {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0"}
		}
	})
	Equal(x, "policy", r.Policy, 3)
	Equal(x, "nice", r.Nice, 19)
	Equal(x, "io priority", r.IOPrio>>13, 3)
}

func scheduled(scheduler specs.Scheduler) Edit {
	return func(s *specs.Spec) { s.Process.Scheduler = &scheduler }
}

// A memory policy that the kernel cannot carry out is refused by name.
func TestMemoryPolicyRefused(t *testing.T) {
	x := New(t, Berth, Kernel("NUMA", func() bool { _, err := os.Stat("/proc/self/numa_maps"); return err == nil }))
	for nodes, want := range map[string]string{
		"63": "set memory policy MPOL_BIND of nodes 63: invalid argument",
		"x":  `linux.memoryPolicy.nodes: "x" is not a list`,
	} {
		r := x.Foreground(x.Bundle(func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: nodes}
		}))
		x.Refused(r, 1, want)
		x.NothingLeft()
	}
}

// A thread under SCHED_DEADLINE may not fork, and startContainer hooks are forked:
// they run before the policy is set.
func TestDeadlineWithHooks(t *testing.T) {
	for name, edit := range map[string]Edit{
		"plain":        func(*specs.Spec) {},
		"no new privs": func(s *specs.Spec) { s.Process.NoNewPrivileges = true },
		"user":         func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 1000} },
	} {
		t.Run(name, func(t *testing.T) {
			x := New(t, Root, Berth, Serial)
			dir := x.Mkdir("hooks")
			x.Must(os.Chmod(dir, 0o777))
			// Not the probe: a Go program has to start threads, which is a fork too.
			out := x.Output(Args("/bin/cat", "/proc/self/status", "/proc/self/stat"), func(s *specs.Spec) {
				Mounted("/hooks", "bind", dir, "rbind", "rw")(s)
				addHook(s, "startContainer", shellHook("startContainer", "grep ^Cap /proc/self/status > /hooks/caps"))
				s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 10e6, Deadline: 500e6, Period: 500e6}
				edit(s)
			})
			const policy = 41 - 2 // field of /proc/PID/stat, of those behind the name (proc(5))
			_, stat, _ := strings.Cut(out, "(cat) ")
			Equal(x, "policy", strings.Fields(stat)[policy-1], "6")
			for _, set := range []string{"CapPrm", "CapEff"} {
				want := "00000000a80425fb"
				if name == "user" {
					want = "0000000000000000"
				}
				x.Contains("the workload", out, set+":\t"+want)
				x.Contains("the hook", x.ReadFile("hooks/caps"), set+":\t"+want)
			}
		})
	}
}
