package manager

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/cgroups"
	"berth/cgroups/cgfile"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestDisabled(t *testing.T) {
	m, err := New(cgroups.Config{ID: "x", Driver: "disabled"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Create(), m.Set(nil), m.Add(1), m.Destroy()); err != nil {
		t.Error(err)
	}
	if _, err := m.Pids(); !errors.Is(err, cgroups.ErrNoCgroup) {
		t.Errorf("Pids: %v", err)
	}
	again, err := Load(m.Record())
	if err != nil || again != m {
		t.Errorf("Load: %v %v", again, err)
	}
}

func TestUnknownDriver(t *testing.T) {
	if _, err := New(cgroups.Config{ID: "x", Driver: "docker"}); err == nil {
		t.Error("accepted")
	}
}

func TestSystemdAbsent(t *testing.T) {
	if systemdRuns() {
		t.Skip("systemd runs here")
	}
	_, err := New(cgroups.Config{ID: "x", Driver: "systemd"})
	if err == nil || !strings.Contains(err.Error(), "systemd does not run") {
		t.Error(err)
	}
}

func TestPathRefused(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		for _, p := range []string{"/", "..", "../x", "a/../../x", "."} {
			if _, err := d.make(cgroups.Config{ID: name(), Path: p}); err == nil {
				t.Errorf("%q accepted", p)
			}
		}
	})
}

func TestPathAbsoluteCleaned(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		id := name()
		m, err := d.make(cgroups.Config{ID: id, Path: "/../../a//./b/../" + id})
		if err != nil {
			t.Fatal(err)
		}
		for c, p := range m.Record().Paths {
			if !strings.HasPrefix(p, cgfile.Root) || !strings.HasSuffix(p, "/a/"+id) {
				t.Errorf("%s: %s", c, p)
			}
		}
	})
}

// A relative path starts at the caller's own cgroup on v1 and beside it on v2.
func TestPathRelative(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		outer := start(t, d, cgroups.Config{})
		cmd, run := shell(t, "exec sleep 1000")
		if err := outer.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		run()
		inner, err := d.make(cgroups.Config{ID: "x", Path: "rel/" + name()})
		if err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		for c, p := range inner.Record().Paths {
			at := ownCgroup(string(own), c)
			if c == "" {
				at = filepath.Dir(at)
			}
			if !strings.Contains(p, filepath.Join(at, "rel/berth-test-")) {
				t.Errorf("%q: %s is not below %s", c, p, at)
			}
		}
	})
}

func ownCgroup(text, controller string) string {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for c := range strings.SplitSeq(f[1], ",") {
			if c == controller {
				return f[2]
			}
		}
	}
	return "/"
}

// A cgroup with processes is refused and left alone.
func TestCreateInUse(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		holder := start(t, d, cgroups.Config{})
		cmd, _ := shell(t, "true")
		if err := holder.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		again, err := d.make(cgroups.Config{ID: filepath.Base(anyPath(holder))})
		if err != nil {
			t.Fatal(err)
		}
		err = again.Create()
		if err == nil || !strings.Contains(err.Error(), "exists and is not empty") {
			t.Errorf("a cgroup in use: %v", err)
		}
		if pids, err := holder.Pids(); err != nil || len(pids) != 1 {
			t.Errorf("the process is gone: %v %v", pids, err)
		}
	})
}

// A process that enters a frozen cgroup, or one below it, stops there.
func TestCreateFrozen(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		above := start(t, d, cgroups.Config{})
		if err := above.Freeze(true); err != nil {
			t.Fatal(err)
		}
		id := filepath.Base(anyPath(above))
		for _, path := range []string{"/" + id, "/" + id + "/" + name()} {
			m, err := d.make(cgroups.Config{ID: id, Path: path})
			if err != nil {
				t.Fatal(err)
			}
			var frozen *cgroups.FrozenError
			if err := m.Create(); !errors.As(err, &frozen) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if err := above.Freeze(false); err != nil {
			t.Fatal(err)
		}
		if pids, err := above.Pids(); err != nil || len(pids) != 0 {
			t.Errorf("the cgroup is not as it was: %v %v", pids, err)
		}
	})
}

func anyPath(m cgroups.Manager) string {
	for _, p := range m.Record().Paths {
		return p
	}
	return ""
}

func TestParentsMade(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		top := name()
		m := start(t, d, cgroups.Config{Path: "/" + top + "/pod/" + name()})
		t.Cleanup(func() {
			var paths []string
			for _, p := range m.Record().Paths {
				paths = append(paths, filepath.Dir(filepath.Dir(p)))
			}
			if err := cgfile.RemoveAll(paths); err != nil {
				t.Error(err)
			}
		})
		cmd, _ := shell(t, "true")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFreeze(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		if f, err := m.Frozen(); f || err != nil {
			t.Fatalf("frozen at the start: %v %v", f, err)
		}
		cmd, run := shell(t, "while :; do :; done")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		run()
		if err := m.Freeze(true); err != nil {
			t.Fatal(err)
		}
		loaded := d.load(m.Record())
		if f, err := loaded.Frozen(); !f || err != nil {
			t.Errorf("not frozen: %v %v", f, err)
		}
		if err := loaded.Freeze(false); err != nil {
			t.Fatal(err)
		}
		if f, err := m.Frozen(); f || err != nil {
			t.Errorf("still frozen: %v %v", f, err)
		}
	})
}

func TestKillTree(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		for _, frozen := range []bool{false, true} {
			m := start(t, d, cgroups.Config{})
			cmd := tree(t, m)
			if err := m.Freeze(frozen); err != nil {
				t.Fatal(err)
			}
			if err := d.load(m.Record()).Kill(); err != nil {
				t.Fatal(err)
			}
			if pids, err := m.Pids(); err != nil || len(pids) != 0 {
				t.Errorf("frozen %v: left %v %v", frozen, pids, err)
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
				t.Errorf("frozen %v: %v", frozen, err)
			}
		}
	})
}

// Child cgroups that the container made are listed, killed and removed.
func TestChildren(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		cmd, _ := shell(t, "true")
		for c, p := range m.Record().Paths {
			deep := filepath.Join(p, "a", strings.Repeat("b/", 30))
			for _, dir := range []string{deep, filepath.Join(p, "a/c"), filepath.Join(p, "d/e")} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if c == "cpuset" {
				continue // its new children are empty, and take no process
			}
			pid := strconv.Itoa(cmd.Process.Pid)
			if err := os.WriteFile(filepath.Join(deep, "cgroup.procs"), []byte(pid), 0); err != nil {
				t.Fatal(err)
			}
		}
		if pids, err := m.Pids(); err != nil || len(pids) != 1 || pids[0] != cmd.Process.Pid {
			t.Errorf("%v %v", pids, err)
		}
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
	})
}

func TestDestroyWaits(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		cmd, run := shell(t, "exec sleep 0.2")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		run()
		// Nobody reaps it: a zombie must not keep the cgroup.
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
		if err := m.Destroy(); err != nil {
			t.Errorf("the second time: %v", err)
		}
		if pids, err := m.Pids(); len(pids) != 0 || err != nil {
			t.Errorf("pids of a removed cgroup: %v %v", pids, err)
		}
	})
}

func TestDestroyBusy(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		cmd, _ := shell(t, "true")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		err := m.Destroy()
		if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "are left in it") {
			t.Errorf("after %v: %v", time.Since(before), err)
		}
	})
}

func TestDevices(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			rule(false, "", -1, -1, "rwm"),
			rule(true, "c", 10, 237, "rw"),
			rule(true, "b", 7, -1, "r"),
		}}})
		a := devicesIn(t, m)
		for _, c := range []struct {
			mode, kind   string
			major, minor uint32
			mknod, open  string
		}{
			{"rw", "c", 1, 3, "allowed", "allowed"},    // null, by default
			{"r", "c", 1, 1, "allowed", "denied"},      // mem: only mknod
			{"rw", "c", 10, 237, "allowed", "allowed"}, // loop-control
			{"r", "b", 7, 3, "allowed", "allowed"},
			{"w", "b", 7, 3, "allowed", "denied"},
			{"rw", "b", 7, 3, "allowed", "denied"},
			{"r", "b", 8, 0, "allowed", "denied"},
			{"rw", "c", 10, 200, "allowed", "allowed"},
		} {
			mknod, open := a.try(c.mode, c.kind, c.major, c.minor)
			if mknod != c.mknod || open != c.open {
				t.Errorf("%s %s %d:%d: mknod %s, open %s", c.mode, c.kind, c.major, c.minor, mknod, open)
			}
		}
		// An update takes one away and adds one, for a process that runs.
		if err := d.load(m.Record()).Set(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			rule(true, "c", 1, 1, "r"),
		}}); err != nil {
			t.Fatal(err)
		}
		if _, open := a.try("r", "c", 1, 1); open != "allowed" {
			t.Errorf("mem after the update: %s", open)
		}
		if _, open := a.try("r", "b", 7, 3); open != "denied" {
			t.Errorf("loop3 after the update: %s", open)
		}
		// An update of something else leaves the rules alone.
		if err := d.load(m.Record()).Set(&specs.LinuxResources{}); err != nil {
			t.Fatal(err)
		}
		if _, open := a.try("r", "c", 1, 1); open != "allowed" {
			t.Errorf("mem after an empty update: %s", open)
		}
	})
}

func TestDevicesAllowAll(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			rule(false, "", -1, -1, "rwm"),
			rule(true, "a", -1, -1, "rwm"),
			rule(false, "c", 1, 1, "rwm"),
		}}})
		a := devicesIn(t, m)
		if mknod, open := a.try("r", "c", 1, 1); mknod != "denied" || open != "denied" {
			t.Errorf("mem: %s %s", mknod, open)
		}
		if mknod, open := a.try("r", "c", 1, 11); mknod != "allowed" || open != "allowed" {
			t.Errorf("kmsg: %s %s", mknod, open)
		}
	})
}

// A hole in a wildcard is what v2 can and v1 cannot express.
func TestDevicesHole(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			rule(true, "c", 1, -1, "rwm"),
			rule(false, "c", 1, 1, "rw"),
		}}
		if d.name == "v1" {
			m, err := d.make(cgroups.Config{ID: name()})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(m.Create(), m.Set(r)); err == nil || !strings.Contains(err.Error(), "cuts a hole") {
				t.Errorf("accepted: %v", err)
			}
			if err := m.Destroy(); err != nil {
				t.Error(err)
			}
			return
		}
		a := devicesIn(t, start(t, d, cgroups.Config{Resources: r}))
		if _, open := a.try("r", "c", 1, 1); open != "denied" {
			t.Error("mem is open")
		}
		if _, open := a.try("r", "c", 1, 11); open != "allowed" {
			t.Error("kmsg is not")
		}
	})
}

func TestOOM(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		r := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}}
		if _, err := d.make(cgroups.Config{ID: name(), Resources: r}); err != nil {
			t.Skip(err)
		}
		m := start(t, d, cgroups.Config{Resources: r})
		if n, err := m.OOMKills(); n != 0 || err != nil {
			t.Fatalf("before: %d %v", n, err)
		}
		cmd := joined(t, m, "eat")
		out, err := cmd.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Errorf("not killed: %v, output %q", err, out)
		}
		if n, err := d.load(m.Record()).OOMKills(); n == 0 || err != nil {
			t.Errorf("after: %d %v", n, err)
		}
	})
}

func TestPidsLimit(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		r := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(8))}}
		if _, err := d.make(cgroups.Config{ID: name(), Resources: r}); err != nil {
			t.Skip(err)
		}
		m := start(t, d, cgroups.Config{Resources: r})
		cmd, run := shell(t, "bomb() { sleep 1000 & bomb; }; bomb 2>/dev/null; wait")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		run()
		at := m.Record().Paths["pids"]
		if d.name == "v2" {
			at = m.Record().Paths[""]
		}
		// A shell that is refused a fork ends, so the limit is reached for a moment only.
		cgtest.Until(t, "a refused fork", func() bool {
			pids, err := m.Pids()
			if err != nil || len(pids) > 8 {
				t.Fatalf("%d processes, %v", len(pids), err)
			}
			text, err := os.ReadFile(at + "/pids.events")
			return err == nil && string(text) != "max 0\n"
		})
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
	})
}

// A fork bomb is killed however fast it forks.
func TestKillForkBomb(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		cmd, run := shell(t, "while :; do (sleep 0.01 &); done")
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		run()
		cgtest.Until(t, "some forks", func() bool {
			pids, err := m.Pids()
			return err == nil && len(pids) > 3
		})
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
	})
}

func TestAbsentController(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		r := &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx4_0": {HcaHandles: ptr(uint32(1))}}}
		id := name()
		_, err := d.make(cgroups.Config{ID: id, Resources: r})
		if err == nil {
			t.Skip("the host has rdma")
		}
		if !strings.Contains(err.Error(), `"rdma"`) || !strings.Contains(err.Error(), "linux.resources.rdma") {
			t.Error(err)
		}
		left, err := filepath.Glob("/sys/fs/cgroup/*/" + id)
		if err != nil || len(left) > 0 {
			t.Errorf("made %v %v", left, err)
		}
	})
}

// exec --cgroup names a child of the container's cgroup, never a sibling.
func TestOpenJoinSub(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		for _, p := range m.Record().Paths {
			if err := os.MkdirAll(filepath.Join(p, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		j, err := m.OpenJoin(map[string]string{"": "/sub"})
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range append(j.Tasks, j.Dir) {
			if fd < 0 {
				continue
			}
			p, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			if err != nil || !strings.Contains(p, "/sub") {
				t.Errorf("%s %v", p, err)
			}
			_ = unix.Close(fd)
		}
		for _, bad := range []string{"../" + filepath.Base(anyPath(m)) + "x", "..", "sub/../..", "absent"} {
			if _, err := m.OpenJoin(map[string]string{"": bad}); err == nil {
				t.Errorf("%q accepted", bad)
			}
		}
	})
}

// The manager keeps no fds once a container is joined or destroyed.
func TestNoFDsLeft(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		before := countFDs(t)
		m, err := d.make(cgroups.Config{ID: name(), Path: "rel-" + name()})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Create(), m.Set(nil)); err != nil {
			t.Fatal(err)
		}
		j, err := m.OpenJoin(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range append(j.Tasks, j.Dir) {
			if fd >= 0 {
				_ = unix.Close(fd)
			}
		}
		if n := countFDs(t); n != before {
			t.Errorf("%d fds before, %d after the join", before, n)
		}
		if err := m.Destroy(); err != nil {
			t.Fatal(err)
		}
		if n := countFDs(t); n != before {
			t.Errorf("%d fds before, %d after", before, n)
		}
	})
}

func countFDs(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

func TestHugetlb(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		r := &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}}
		if _, err := d.make(cgroups.Config{ID: name(), Resources: r}); err != nil {
			t.Skip(err)
		}
		m := start(t, d, cgroups.Config{Resources: r})
		files := []string{"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes"}
		p := m.Record().Paths["hugetlb"]
		if d.name == "v2" {
			files = []string{"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"}
			p = m.Record().Paths[""]
		}
		for _, f := range files {
			if b, err := os.ReadFile(filepath.Join(p, f)); err != nil || strings.TrimSpace(string(b)) != "4194304" {
				t.Errorf("%s: %q %v", f, b, err)
			}
		}
		err := m.Set(&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "3MB"}}})
		if err == nil || !strings.Contains(err.Error(), `no huge pages of size "3MB"`) {
			t.Errorf("%v", err)
		}
	})
}

// Without permission a container runs in its caller's cgroup if it may (rootless)
// and nothing was asked of one.
func TestRootless(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("changing the user needs root")
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	// Any user must reach the test binary.
	dir, err := os.MkdirTemp("", "berth-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/test", exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir + "/test")
	cmd.Env = []string{helper + "=rootless"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) != 4 || lines[0] != "<nil>" || !strings.Contains(lines[1], "permission denied") || !strings.Contains(lines[2], "permission denied") {
		t.Errorf("%s", out)
	}
}
