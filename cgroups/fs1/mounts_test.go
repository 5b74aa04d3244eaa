package fs1

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"berth/cgroups"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const inMounts = "BERTH_TEST_MOUNTS"

// TestOtherControllers mounts the controllers that the host left alone, in a mount
// namespace of its own, and sets their limits. Unmounting gives them back: a v1
// hierarchy without cgroups ends with its last mount.
func TestOtherControllers(t *testing.T) {
	layout(t)
	if os.Getenv(inMounts) == "" {
		before := free(t)
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestOtherControllers$", "-test.v")
		cmd.Env = append(os.Environ(), inMounts+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		// A hierarchy ends some time after its last unmount. Others, that somebody else
		// had mounted, may have become free meanwhile.
		cgtest.Until(t, "free controllers: "+before, func() bool {
			now := strings.Fields(free(t))
			for _, name := range strings.Fields(before) {
				if !slices.Contains(now, name) {
					return false
				}
			}
			return true
		})
		return
	}
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	l := &cgroups.Layout{Root: root}
	// Two in one hierarchy, as distributions mount them.
	mountCgroup(t, l, "net_cls,net_prio")
	mountCgroup(t, l, "hugetlb")
	mountCgroup(t, l, "perf_event")
	mountCgroup(t, l, "rdma")
	for name, test := range map[string]func(*testing.T, *cgroups.Layout){
		"network": testNetwork, "hugetlb": testHugetlb, "all": testJoinAll, "rdma": testRdma,
	} {
		t.Run(name, func(t *testing.T) { test(t, l) })
	}
}

// subsystems calls do with the words of each line of /proc/cgroups: name,
// hierarchy, number of cgroups, enabled.
func subsystems(t *testing.T, do func([]string)) {
	t.Helper()
	text, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if w := strings.Fields(line); len(w) == 4 {
			do(w)
		}
	}
}

// free lists the controllers that are in no v1 hierarchy.
func free(t *testing.T) string {
	var names []string
	subsystems(t, func(w []string) {
		if w[1] == "0" {
			names = append(names, w[0])
		}
	})
	return strings.Join(names, " ")
}

// count is the number of cgroups in a controller's hierarchy, dying ones included.
func count(t *testing.T, controller string) (n string) {
	subsystems(t, func(w []string) {
		if w[0] == controller {
			n = w[2]
		}
	})
	return n
}

func mountCgroup(t *testing.T, l *cgroups.Layout, controllers string) {
	t.Helper()
	h := cgroups.Hierarchy{Name: strings.TrimPrefix(controllers, "name="), Controllers: strings.Split(controllers, ","), Own: "/"}
	dir := filepath.Join(l.Root, h.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("cgroup", dir, "cgroup", 0, h.Options()); err != nil {
		t.Logf("mount %s: %v", controllers, err)
		return
	}
	t.Cleanup(func() {
		// Unmounted while a removed cgroup is still being freed, the hierarchy would
		// stay for good, without a mount.
		cgtest.Until(t, "no cgroup in "+controllers, func() bool { return count(t, h.Controllers[0]) == "1" })
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	l.Hierarchies = append(l.Hierarchies, h)
}

// limited makes a container in the mounted hierarchies.
func limited(t *testing.T, l *cgroups.Layout, r *specs.LinuxResources) *Manager {
	t.Helper()
	cfg := config()
	cfg.Resources = r
	m, err := New(cfg, l)
	if err != nil {
		t.Skip(err)
	}
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Set(r); err != nil {
		t.Fatal(err)
	}
	return m
}

func testNetwork(t *testing.T, l *cgroups.Layout) {
	m := limited(t, l, &specs.LinuxResources{Network: &specs.LinuxNetwork{
		ClassID: ptr(uint32(0x100001)), Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 7}},
	}})
	if got := read(t, m, "net_cls", "net_cls.classid"); got != "1048577" {
		t.Error(got)
	}
	if got := read(t, m, "net_prio", "net_prio.ifpriomap"); !strings.Contains(got, "lo 7") {
		t.Error(got)
	}
	if m.find("net_cls") != m.find("net_prio") {
		t.Error("co-mounted controllers have two groups")
	}
	err := m.Set(&specs.LinuxResources{Network: &specs.LinuxNetwork{
		Priorities: []specs.LinuxInterfacePriority{{Name: "absent0", Priority: 7}},
	}})
	if err == nil || !strings.Contains(err.Error(), "absent0 7") {
		t.Errorf("%v", err)
	}
}

func testHugetlb(t *testing.T, l *cgroups.Layout) {
	m := limited(t, l, &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 8 << 20}}})
	if got := read(t, m, "hugetlb", "hugetlb.2MB.limit_in_bytes"); got != "8388608" {
		t.Error(got)
	}
	if got := read(t, m, "hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes"); got != "8388608" {
		t.Error(got)
	}
	for _, size := range []string{"3MB", "../x", "2MB/.."} {
		err := m.Set(&specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: size, Limit: 1}}})
		if err == nil {
			t.Errorf("%s accepted", size)
		}
	}
}

func testRdma(t *testing.T, l *cgroups.Layout) {
	limited(t, l, nil)
	m := limited(t, l, &specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{}})
	err := m.Set(&specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"absent": {HcaHandles: ptr(uint32(2))}}})
	if err == nil || !strings.Contains(err.Error(), "rdma") {
		t.Errorf("%v", err)
	}
}

// A process gets into all of them, and is found and killed without a freezer.
func testJoinAll(t *testing.T, l *cgroups.Layout) {
	m := limited(t, l, nil)
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // dead by then
		_ = cmd.Wait()
	}()
	if err := m.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if pids, err := m.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("%v %v", pids, err)
	}
	if err := m.Freeze(true); !errors.Is(err, cgroups.ErrNoCgroup) || !strings.Contains(err.Error(), "freezer") {
		t.Errorf("freeze: %v", err)
	}
	if err := m.Kill(); err != nil {
		t.Error(err)
	}
}
