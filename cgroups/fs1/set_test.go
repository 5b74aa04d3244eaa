package fs1

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// set applies an update.
func set(t *testing.T, m *Manager, r *specs.LinuxResources) {
	t.Helper()
	if err := Load(m.Record()).Set(r); err != nil {
		t.Fatal(err)
	}
}

func memory(limit, swap int64) *specs.LinuxResources {
	return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &swap}}
}

// Both limits move up and down whatever the order the kernel demands.
func TestMemoryOrder(t *testing.T) {
	m := create(t, config())
	const mib = 1 << 20
	for _, c := range [][2]int64{{64, 128}, {256, 512}, {32, 64}, {64, 64}, {-1, -1}, {64, -1}, {32, 48}, {-1, 0}, {16, 16}} {
		want := [2]string{}
		limit, swap := c[0], c[1]
		for i, v := range []*int64{&limit, &swap} {
			if *v > 0 {
				*v *= mib
			}
			want[i] = strconv.FormatInt(*v, 10)
			if *v < 0 || i == 1 && limit < 0 {
				want[i] = "9223372036854771712"
			}
		}
		set(t, m, memory(limit, swap))
		got := [2]string{read(t, m, "memory", memLimit), read(t, m, "memory", memSwap)}
		if got != want {
			t.Errorf("%v: %v, want %v", c, got, want)
		}
	}
}

func TestMemoryRefused(t *testing.T) {
	m := create(t, config())
	if err := m.Set(memory(64<<20, 32<<20)); err == nil || !strings.Contains(err.Error(), "cannot be less than") {
		t.Errorf("swap below the limit: %v", err)
	}
	r := memory(64<<20, 0)
	r.Memory.Swappiness = ptr(uint64(101))
	if err := m.Set(r); err == nil || !strings.Contains(err.Error(), "swappiness") {
		t.Errorf("swappiness: %v", err)
	}
	// What the kernel refuses names the file and the data.
	err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "4000"}})
	if err == nil || !strings.Contains(err.Error(), `write "4000" to `) || !strings.Contains(err.Error(), "cpuset.cpus: ") {
		t.Errorf("cpus: %v", err)
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		t.Errorf("no errno in %v", err)
	}
}

// A limit below what cannot be reclaimed says how much is used.
func TestMemoryBusy(t *testing.T) {
	m := create(t, config())
	set(t, m, memory(64<<20, 64<<20))
	// dd holds a buffer of 32 MiB, which without swap cannot be reclaimed.
	cmd := exec.Command("sh", "-c", "read x; exec dd if=/dev/zero of=/dev/null bs=32M count=100000")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = m.Kill() // Destroy tells
		_ = cmd.Wait()
	}()
	if err := m.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	for used := uint64(0); used < 30<<20; {
		used, err = strconv.ParseUint(read(t, m, "memory", memUsage), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
	}
	err = Load(m.Record()).Set(memory(4<<20, 0))
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "the container uses") {
		t.Errorf("%v", err)
	}
	r := memory(4<<20, 0)
	r.Memory.CheckBeforeUpdate = ptr(true)
	if err := m.Set(r); err == nil || !strings.Contains(err.Error(), "below what the container uses") {
		t.Errorf("checkBeforeUpdate: %v", err)
	}
}

// Zero and absent leave things as they are: engines send every field.
func TestUpdateZero(t *testing.T) {
	m := create(t, config())
	set(t, m, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20))},
		CPU:    &specs.LinuxCPU{Shares: ptr(uint64(300)), Quota: ptr(int64(30000)), Period: ptr(uint64(60000)), Cpus: "0"},
		Pids:   &specs.LinuxPids{Limit: ptr(int64(9))},
	})
	zero := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{
			Limit: ptr(int64(0)), Reservation: ptr(int64(0)), Swap: ptr(int64(0)),
			KernelTCP: ptr(int64(0)), Swappiness: ptr(^uint64(0)), DisableOOMKiller: ptr(false),
		},
		CPU:     &specs.LinuxCPU{Shares: ptr(uint64(0)), Quota: ptr(int64(0)), Period: ptr(uint64(0)), RealtimeRuntime: ptr(int64(0)), RealtimePeriod: ptr(uint64(0))},
		BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(0)), LeafWeight: ptr(uint16(0))},
		Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0))},
		Pids:    &specs.LinuxPids{},
	}
	set(t, m, zero)
	for _, c := range []struct{ controller, file, want string }{
		{"memory", memLimit, "67108864"},
		{"memory", "memory.soft_limit_in_bytes", "33554432"},
		{"cpu", "cpu.shares", "300"},
		{"cpu", "cpu.cfs_quota_us", "30000"},
		{"cpu", "cpu.cfs_period_us", "60000"},
		{"cpuset", "cpuset.cpus", "0"},
		{"pids", "pids.max", "9"},
	} {
		if got := read(t, m, c.controller, c.file); got != c.want {
			t.Errorf("%s: %s, want %s", c.file, got, c.want)
		}
	}
}

func TestPidsValues(t *testing.T) {
	m := create(t, config())
	for _, c := range []struct {
		limit int64
		want  string
	}{{0, "0"}, {-1, "max"}, {5, "5"}, {-20, "max"}} {
		set(t, m, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &c.limit}})
		if got := read(t, m, "pids", "pids.max"); got != c.want {
			t.Errorf("%d: %s", c.limit, got)
		}
	}
}

func TestCPU(t *testing.T) {
	m := create(t, config())
	cpu := func(c specs.LinuxCPU) error {
		return Load(m.Record()).Set(&specs.LinuxResources{CPU: &c})
	}
	if err := cpu(specs.LinuxCPU{Shares: ptr(uint64(1))}); err == nil || !strings.Contains(err.Error(), "minimum allowed cpu-shares is 2") {
		t.Errorf("shares 1: %v", err)
	}
	if err := cpu(specs.LinuxCPU{Shares: ptr(uint64(1 << 19))}); err == nil || !strings.Contains(err.Error(), "maximum allowed cpu-shares is 262144") {
		t.Errorf("shares 2^19: %v", err)
	}
	for _, c := range []struct {
		quota         int64
		period, burst uint64
	}{{10000, 20000, 10000}, {90000, 100000, 80000}, {5000, 10000, 0}, {-1, 100000, 0}, {2000, 1000, 1000}} {
		if err := cpu(specs.LinuxCPU{Quota: &c.quota, Period: &c.period, Burst: &c.burst}); err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		for file, want := range map[string]string{
			"cpu.cfs_quota_us": strconv.FormatInt(c.quota, 10), "cpu.cfs_period_us": strconv.FormatUint(c.period, 10),
			"cpu.cfs_burst_us": strconv.FormatUint(c.burst, 10),
		} {
			if got := read(t, m, "cpu", file); got != want {
				t.Errorf("%+v: %s %s", c, file, got)
			}
		}
	}
	if err := cpu(specs.LinuxCPU{Idle: ptr(int64(1))}); err != nil {
		t.Error(err)
	}
	// Shares cannot be set while idle, so both come in the right order.
	if err := cpu(specs.LinuxCPU{Idle: ptr(int64(0)), Shares: ptr(uint64(777))}); err != nil {
		t.Error(err)
	}
	if got := read(t, m, "cpu", "cpu.shares"); got != "777" {
		t.Error(got)
	}
}

// Period and runtime bound each other, whichever way they change.
func TestRealtimeOrder(t *testing.T) {
	m := create(t, config())
	for _, v := range []struct {
		runtime int64
		period  uint64
	}{{20000, 1000000}, {2000, 10000}, {20000, 1000000}} {
		err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: &v.runtime, RealtimePeriod: &v.period}})
		if err != nil && strings.Contains(err.Error(), "CONFIG_RT_GROUP_SCHED") {
			t.Skip(err)
		}
		if err != nil {
			t.Errorf("%d of %d: %v", v.runtime, v.period, err)
		}
	}
}

func TestRealtime(t *testing.T) {
	m := create(t, config())
	err := m.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(2000000)), RealtimePeriod: ptr(uint64(1000000))}})
	if err == nil || !strings.Contains(err.Error(), "real-time") && !strings.Contains(err.Error(), "realtime") {
		t.Errorf("%v", err)
	}
}

// A child of new parents gets the CPUs of the root, through all levels.
func TestCpusetInherited(t *testing.T) {
	cfg := config()
	cfg.Path = "/" + cfg.ID + "/a/b"
	m := create(t, cfg)
	removeParents(t, m, 2)
	if m.find("cpuset") == nil {
		t.Skip("cpuset is not mounted")
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		want, err := os.ReadFile(m.find("cpuset").mount + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"", "../", "../../"} {
			if got := read(t, m, "cpuset", p+file); got != strings.TrimSpace(string(want)) {
				t.Errorf("%s%s: %q", p, file, got)
			}
		}
	}
}

// removeParents removes what Create made above the container, after the test.
func removeParents(t *testing.T, m *Manager, levels int) {
	t.Helper()
	var paths []string
	for _, g := range m.groups {
		p := g.path
		for range levels {
			p = filepath.Dir(p)
		}
		paths = append(paths, p)
	}
	t.Cleanup(func() {
		if err := cgfile.RemoveAll(paths); err != nil {
			t.Error(err)
		}
	})
}

// A Create that fails in one hierarchy removes what it made in the others, parents
// included, and leaves the directory that was there.
func TestCreateUndone(t *testing.T) {
	cfg := config()
	cfg.Path = "/" + cfg.ID + "/a/b"
	m, err := New(cfg, layout(t))
	if err != nil {
		t.Fatal(err)
	}
	last := m.groups[len(m.groups)-1]
	if err := os.MkdirAll(last.path, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cgfile.RemoveAll([]string{filepath.Dir(filepath.Dir(last.path))}); err != nil {
			t.Error(err)
		}
	})
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if err := os.WriteFile(last.path+"/cgroup.procs", []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Create(); err == nil || !strings.Contains(err.Error(), "exists and is not empty") {
		t.Errorf("%v", err)
	}
	for _, g := range m.groups {
		_, err := os.Lstat(filepath.Join(g.mount, cfg.ID))
		if g == last && err != nil || g != last && !os.IsNotExist(err) {
			t.Errorf("%s: %v", g.path, err)
		}
	}
}

// An absent controller is refused before anything is made, and names the field.
func TestAbsent(t *testing.T) {
	l := *layout(t)
	l.Hierarchies = nil
	for _, c := range []struct {
		r    specs.LinuxResources
		want string
	}{
		{specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB"}}},
			`cgroup controller "hugetlb" is not mounted: linux.resources.hugepageLimits cannot be applied`},
		{specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}}, `"pids"`},
		{specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}}, `"cpuset" is not mounted: linux.resources.cpu.cpus`},
		{specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr(uint32(1))}}, "network.classID"},
		{specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}, `"devices"`},
		{specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}, `unified["memory.high"]`},
	} {
		cfg := config()
		cfg.Resources = &c.r
		if _, err := New(cfg, &l); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestBlkio(t *testing.T) {
	m := create(t, config())
	var dev specs.LinuxThrottleDevice
	names, err := filepath.Glob("/sys/block/*/dev")
	if err != nil || len(names) == 0 {
		t.Skip("no block device")
	}
	number, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(string(number)), ":")
	if dev.Major, err = strconv.ParseInt(major, 10, 64); err != nil {
		t.Fatal(err)
	}
	if dev.Minor, err = strconv.ParseInt(minor, 10, 64); err != nil {
		t.Fatal(err)
	}
	dev.Rate = 4096
	list := []specs.LinuxThrottleDevice{dev}
	set(t, m, &specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: list, ThrottleWriteBpsDevice: list, ThrottleReadIOPSDevice: list, ThrottleWriteIOPSDevice: list,
	}})
	want := major + ":" + minor + " 4096"
	for _, file := range []string{"read_bps", "write_bps", "read_iops", "write_iops"} {
		if got := read(t, m, "blkio", "blkio.throttle."+file+"_device"); got != want {
			t.Errorf("%s: %q", file, got)
		}
	}
	err = m.Set(&specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(500))}})
	d := m.find("blkio")
	if _, serr := os.Stat(d.path + "/blkio.weight"); serr == nil {
		if err != nil {
			t.Error(err)
		}
	} else if _, serr := os.Stat(d.path + "/blkio.bfq.weight"); serr == nil {
		if err != nil {
			t.Error(err)
		}
	} else if err == nil || !strings.Contains(err.Error(), "linux.resources.blockIO.weight cannot be applied") {
		t.Errorf("%v", err)
	}
	err = m.Set(&specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr(uint16(500))}})
	if err == nil || !strings.Contains(err.Error(), "leafWeight cannot be applied") {
		t.Errorf("leaf weight: %v", err)
	}
}

// The rules of the config stand first in devices.list, in their order, and what is
// said twice is written once.
func TestDevicesOrder(t *testing.T) {
	rule := func(major, minor int64, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Minor: &minor, Access: access}
	}
	cfg := config()
	cfg.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
		{Access: "rwm"}, rule(10, 229, "rw"), rule(1, 9, "r"), rule(8, 1, "rwm"),
	}}
	m := create(t, cfg)
	got := read(t, m, "devices", "devices.list")
	if !strings.HasPrefix(got, "c 10:229 rw\nc 1:9 rwm\nc 8:1 rwm\nc *:* m\n") {
		t.Errorf("%s", got)
	}
}

func TestRecord(t *testing.T) {
	m := create(t, config())
	rec := m.Record()
	again := Load(rec)
	if len(again.groups) != len(m.groups) {
		t.Errorf("%d groups, not %d", len(again.groups), len(m.groups))
	}
	for name, p := range again.Record().Paths {
		if rec.Paths[name] != p {
			t.Errorf("%s: %s", name, p)
		}
	}
	if _, err := Load(cgroups.Record{Driver: "cgroupfs"}).Pids(); !errors.Is(err, cgroups.ErrNoCgroup) {
		t.Errorf("no groups: %v", err)
	}
}
