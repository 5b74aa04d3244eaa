package cgfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"berth/cgroups"

	"golang.org/x/sys/unix"
)

const inMounts = "BERTH_TEST_MOUNTS"

// privately runs the named test again in a mount namespace of its own and says
// whether this is that run.
func privately(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	if os.Getenv(inMounts) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	return false
}

func TestDetectHost(t *testing.T) {
	l, err := Detect()
	if err != nil {
		t.Skip(err)
	}
	if l.V2 && len(l.Hierarchies) > 0 || !l.V2 && len(l.Hierarchies) == 0 && l.Unified == "" {
		t.Errorf("%+v", l)
	}
	for _, h := range l.Hierarchies {
		if !dirExists(t, filepath.Join(l.Root, h.Name)) || h.Own == "" || h.Options() == "" {
			t.Errorf("%+v", h)
		}
	}
}

func dirExists(t *testing.T, p string) bool {
	t.Helper()
	fi, err := os.Stat(p)
	return err == nil && fi.IsDir()
}

// A hybrid host with co-mounted controllers, links to them, a plain directory in
// the place of a hierarchy, and one that is not mounted at all.
func TestDetectHybrid(t *testing.T) {
	if !privately(t) {
		return
	}
	root := t.TempDir()
	mount := func(source, dir, kind, options string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(source, dir, kind, 0, options); err != nil {
			t.Skipf("mount %s %s: %v", kind, options, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
	}
	mount("tmpfs", root, "tmpfs", "")
	// Only memory and the named hierarchy exist on the test's host for sure; the
	// text says what /proc/self/cgroup would.
	mount("cgroup", root+"/memory", "cgroup", "memory")
	mount("cgroup", root+"/systemd", "cgroup", "none,name=systemd")
	mount("cgroup", root+"/cpu,cpuacct", "cgroup", "cpu")
	mount("cgroup2", root+"/unified", "cgroup2", "")
	for link, target := range map[string]string{"cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct/", "elsewhere": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(root+"/pids", 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(t.TempDir(), "cgroup")
	text := "9:name=systemd:/s\n8:pids:/p\n7:hugetlb:/\n4:memory:/m:n\n2:cpuacct,cpu:/c\n0::/u\n"
	if err := os.WriteFile(self, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := detect(root, self)
	if err != nil {
		t.Fatal(err)
	}
	if l.V2 || l.Unified != root+"/unified" || l.Own != "/u" {
		t.Errorf("%+v", l)
	}
	want := []cgroups.Hierarchy{
		{Name: "cpu,cpuacct", Controllers: []string{"cpuacct", "cpu"}, Links: []string{"cpu", "cpuacct"}, Own: "/c"},
		{Name: "memory", Controllers: []string{"memory"}, Own: "/m:n"},
		{Name: "systemd", Controllers: []string{"name=systemd"}, Own: "/s"},
	}
	if !slices.EqualFunc(l.Hierarchies, want, func(a, b cgroups.Hierarchy) bool {
		return a.Name == b.Name && a.Own == b.Own && slices.Equal(a.Controllers, b.Controllers) && slices.Equal(a.Links, b.Links)
	}) {
		t.Errorf("%+v", l.Hierarchies)
	}
	if l.Hierarchies[0].Options() != "cpuacct,cpu" || l.Hierarchies[2].Options() != "none,name=systemd" {
		t.Errorf("options %s, %s", l.Hierarchies[0].Options(), l.Hierarchies[2].Options())
	}
	pure, err := detect(root+"/unified", self)
	if err != nil || !pure.V2 || pure.Own != "/u" {
		t.Errorf("%+v %v", pure, err)
	}
}

func TestDetectNone(t *testing.T) {
	if _, err := detect(t.TempDir(), "/proc/self/cgroup"); err == nil {
		t.Error("found hierarchies in an empty directory")
	}
	if _, err := detect("/nonexistent", "/proc/self/cgroup"); err == nil {
		t.Error("found hierarchies nowhere")
	}
}

func BenchmarkDetect(b *testing.B) {
	for b.Loop() {
		if _, err := detect(Root, "/proc/self/cgroup"); err != nil {
			b.Fatal(err)
		}
	}
}
