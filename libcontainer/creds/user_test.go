package creds

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"berth/libcontainer/wire"
)

// openDir is t.TempDir that every user may enter, whatever the umask.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUserIDs(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "cat", "/proc/self/status")
	p.UID, p.GID, p.SetGroups, p.Groups, p.Umask = 1000, 1001, true, []uint32{5, 4000000000}, 0o027
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	for key, want := range map[string]string{
		"Uid": "1000\t1000\t1000\t1000", "Gid": "1001\t1001\t1001\t1001", "Groups": "5 4000000000", "Umask": "0027",
	} {
		if got := field(res.stdout, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestUserEmptyGroups(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "cat", "/proc/self/status")
	p.SetGroups = true
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	if got := field(res.stdout, "Groups"); got != "" {
		t.Errorf("groups %q are left", got)
	}
}

func TestUserRefusals(t *testing.T) {
	needRoot(t)
	bb := busybox(t)
	const (
		setgroups = "set additional groups: this user namespace does not allow setgroups (it needs newgidmap or a privileged parent)"
		noID      = "4294967295 is not an id: invalid argument"
	)
	for _, c := range []struct {
		name        string
		process     wire.Process
		noSetgroups bool
		want        string
	}{
		{"uid", wire.Process{UID: 1000}, false, "set uid 1000: not mapped in the user namespace: invalid argument"},
		{"gid", wire.Process{GID: 1000}, false, "set gid 1000: not mapped in the user namespace: invalid argument"},
		{"groups", wire.Process{SetGroups: true, Groups: []uint32{0, 7}}, true, setgroups},
		// setresuid(-1) would leave the process root.
		{"uid -1", wire.Process{UID: 1<<32 - 1}, false, "set uid 4294967295, gid 0: " + noID},
		{"gid -1", wire.Process{GID: 1<<32 - 1}, false, "set uid 0, gid 4294967295: " + noID},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.process.Args, c.process.Umask = []string{bb, "true"}, -1
			res := child(t, "become", request{Process: c.process, NoSetgroups: c.noSetgroups}, syscall.CLONE_NEWUSER)
			res.mustFail(t, c.want)
		})
	}
}

func TestNoSetgroupsWithoutGroups(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	p.SetGroups = true
	child(t, "become", request{Process: p, NoSetgroups: true}, syscall.CLONE_NEWUSER).mustSucceed(t)
}

func TestRlimits(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "cat", "/proc/self/limits")
	p.UID, p.GID = 1000, 1000
	p.NofileSoft, p.NofileHard = 333, 444
	p.Rlimits = []wire.Rlimit{
		// All of these would be fatal to a Go program that lives on under them.
		{Resource: syscall.RLIMIT_AS, Soft: 16 << 20, Hard: 32 << 20, Name: "RLIMIT_AS"},
		{Resource: syscall.RLIMIT_DATA, Soft: 1 << 20, Hard: 2 << 20, Name: "RLIMIT_DATA"},
		{Resource: 6, Soft: 1, Hard: 2, Name: "RLIMIT_NPROC"},
		{Resource: syscall.RLIMIT_CORE, Soft: 0, Hard: 1 << 40, Name: "RLIMIT_CORE"},
	}
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	for _, want := range [][]string{
		{"Max address space", "16777216", "33554432"}, {"Max data size", "1048576", "2097152"},
		{"Max processes", "1", "2"}, {"Max core file size", "0", "1099511627776"}, {"Max open files", "333", "444"},
	} {
		found := false
		for line := range strings.Lines(res.stdout) {
			if rest, ok := strings.CutPrefix(line, want[0]); ok {
				f := strings.Fields(rest)
				found = f[0] == want[1] && f[1] == want[2]
			}
		}
		if !found {
			t.Errorf("want %v in\n%s", want, res.stdout)
		}
	}
}

func TestRlimitNofileOfConfigWins(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "sh", "-c", "ulimit -Sn; ulimit -Hn")
	p.NofileSoft, p.NofileHard = 333, 444
	p.Rlimits = []wire.Rlimit{{Resource: syscall.RLIMIT_NOFILE, Soft: 55, Hard: 66, Name: "RLIMIT_NOFILE"}}
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	if res.stdout != "55\n66\n" {
		t.Errorf("limits are %q", res.stdout)
	}
}

func TestRlimitRefusals(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	p.Rlimits = []wire.Rlimit{{Resource: syscall.RLIMIT_NOFILE, Soft: 10, Hard: 1 << 29, Name: "RLIMIT_NOFILE"}}
	res := child(t, "become", request{Process: p}, syscall.CLONE_NEWUSER)
	res.mustFail(t, "setting rlimit RLIMIT_NOFILE (soft 10, hard 536870912): operation not permitted")
	p.Rlimits[0].Soft = ^uint64(0)
	res = child(t, "become", request{Process: p}, 0)
	res.mustFail(t, "setting rlimit RLIMIT_NOFILE (soft unlimited, hard 536870912): invalid argument")
}

func TestScheduling(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "sh", "-c", "cut -d' ' -f19 /proc/self/stat; uname -m; ionice; nproc")
	prio, persona := 2<<13|3, uint64(8)
	p.Scheduler = &wire.Scheduler{Policy: 3, Nice: 7} // SCHED_BATCH
	p.IOPriority, p.Personality = &prio, &persona
	p.FinalAffinity = []byte{1, 0, 0, 0, 0, 0, 0, 0}
	res := child(t, "become", request{Process: p}, 0)
	res.mustSucceed(t)
	lines := strings.Fields(res.stdout)
	if lines[0] != "7" || lines[1] == "x86_64" || lines[1] == "aarch64" || !strings.Contains(res.stdout, "prio 3") || lines[len(lines)-1] != "1" {
		t.Errorf("nice 7, a 32-bit machine name, io priority 3 and one cpu expected, have:\n%s", res.stdout)
	}
}

func TestSchedulingRefusals(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "true")
	p.Scheduler = &wire.Scheduler{Policy: 1, Priority: 1000}
	child(t, "become", request{Process: p}, 0).mustFail(t, "set scheduler SCHED_FIFO: invalid argument")
	prio := 7 << 13
	p.Scheduler, p.IOPriority = nil, &prio
	child(t, "become", request{Process: p}, 0).mustFail(t, "set io priority 57344: invalid argument")
}

func TestMemoryPolicy(t *testing.T) {
	needRoot(t)
	p := process(busybox(t), "cat", "/proc/self/numa_maps")
	p.MemoryPolicy = &wire.MemoryPolicy{Mode: 2, Nodes: []byte{1, 0, 0, 0, 0, 0, 0, 0}} // MPOL_BIND to node 0
	res := child(t, "become", request{Process: p}, 0)
	if strings.Contains(res.stderr, "function not implemented") || strings.Contains(res.stderr, "numa_maps: No such file") {
		t.Skip("needs a kernel with NUMA")
	}
	res.mustSucceed(t)
	if !strings.Contains(res.stdout, "bind:0") {
		t.Errorf("the policy is not bind:0:\n%s", res.stdout)
	}
}
