package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// withSystemd is New for tests of the systemd driver.
func withSystemd(t *testing.T, needs ...Need) *Test {
	t.Helper()
	if os.Getenv("BERTH_CGROUP_MANAGER") != "systemd" {
		t.Skip("needs systemd as the cgroup manager under test (BERTH_CGROUP_MANAGER=systemd)")
	}
	return New(t, append(needs, Berth)...)
}

// scope is the unit of the container with the id, see Test.cgroupsPath.
func scope(id string) string { return "bt-" + id + ".scope" }

// systemctl asks the caller's systemd.
func systemctl(x *Test, args ...string) string {
	x.Helper()
	out, err := tool(x, "systemctl", args...).CombinedOutput()
	if err != nil {
		x.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func tool(x *Test, name string, args ...string) *exec.Cmd {
	if x.Rootless {
		args = slices.Insert(slices.Clone(args), 0, "--user")
	}
	return exec.Command(name, args...)
}

// properties asserts what the unit has.
func properties(x *Test, unit string, want map[string]string) {
	x.Helper()
	names := slices.Sorted(maps.Keys(want))
	got := map[string]string{}
	for line := range strings.Lines(systemctl(x, "show", unit, "-p", strings.Join(names, ","))) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		got[name] = value
	}
	for _, name := range names {
		Equal(x, unit+" "+name, got[name], want[name])
	}
}

// resources sets limits; a login user's spec has none yet.
func resources(r specs.LinuxResources) Edit {
	return func(s *specs.Spec) {
		if s.Linux.Resources != nil {
			r.Devices = s.Linux.Resources.Devices
		}
		s.Linux.Resources = &r
	}
}

// noUnit waits until systemd has forgotten the unit.
func noUnit(x *Test, unit string) {
	x.Helper()
	x.Until("no unit "+unit, func() bool {
		return systemctl(x, "list-units", "--all", "--plain", "--no-legend", unit) == ""
	})
}

var usual = specs.LinuxResources{
	Memory: &specs.LinuxMemory{Limit: Ptr(int64(96 << 20)), Reservation: Ptr(int64(48 << 20))},
	CPU:    &specs.LinuxCPU{Shares: Ptr(uint64(512)), Quota: Ptr(int64(50000)), Period: Ptr(uint64(100000))},
	Pids:   &specs.LinuxPids{Limit: Ptr(int64(99))},
}

// The unit and the files say the same, and the unit goes with the container.
func TestSystemdScope(t *testing.T) {
	x := withSystemd(t, V2)
	c := x.Up(resources(specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20)), Reservation: Ptr(int64(32 << 20)), Swap: Ptr(int64(96 << 20))},
		CPU:    &specs.LinuxCPU{Shares: Ptr(uint64(512)), Quota: Ptr(int64(12345)), Period: Ptr(uint64(50000))},
		Pids:   &specs.LinuxPids{Limit: Ptr(int64(40))},
	}))
	unit := scope(x.ID)
	slice := "system.slice"
	if x.Rootless {
		slice = "user.slice"
	}
	properties(x, unit, map[string]string{
		"ActiveState": "active", "Slice": slice, "Delegate": "yes", "DefaultDependencies": "no", "Description": "berth container " + x.ID,
		"MemoryMax": "67108864", "MemoryLow": "33554432", "MemorySwapMax": "33554432", "MemoryAccounting": "yes",
		"CPUWeight": "59", "CPUQuotaPerSecUSec": "250ms", "CPUQuotaPeriodUSec": "50ms", "TasksMax": "40",
	})
	dir := x.CgroupDir(c.Pid, "")
	Equal(x, "cgroup", strings.TrimPrefix(dir, Cgroups().V2), systemctl(x, "show", unit, "-p", "ControlGroup", "--value"))
	for file, want := range map[string]string{
		"memory.max": "67108864", "memory.low": "33554432", "memory.swap.max": "33554432",
		"cpu.weight": "59", "cpu.max": "12345 50000", "pids.max": "40",
	} {
		Equal(x, file, x.CgroupFile(c.Pid, "", "", file), want)
	}

	// exec goes where the container is.
	Equal(x, "cgroup of an exec", filepath.Base(strings.TrimSpace(c.ExecOK("/bin/cat", "/proc/self/cgroup"))), unit)
	x.OK("pause", x.ID)
	Equal(x, "frozen", x.CgroupFile(c.Pid, "", "", "cgroup.freeze"), "1")
	x.OK("resume", x.ID)

	x.OK("kill", x.ID, "KILL")
	c.WaitExit()
	x.OK("delete", x.ID)
	noUnit(x, unit)
}

// A reload has systemd write its idea of the limits.
func TestSystemdReload(t *testing.T) {
	x := withSystemd(t, V2, Serial)
	c := x.Up(resources(usual))
	now := func() string {
		return fmt.Sprintln(read(x, c, memoryMax), read(x, c, memoryLow), read(x, c, pidsMax), read(x, c, cpuWeight), bandwidth(x, c))
	}
	before := now()
	systemctl(x, "daemon-reload")
	Equal(x, "limits after a daemon-reload", now(), before)
	c.ExecOK("/bin/sh", "-c", "echo x >/dev/null")
	x.OK("delete", "--force", x.ID)
	noUnit(x, scope(x.ID))
}

func TestSystemdUpdate(t *testing.T) {
	x := withSystemd(t, V2)
	c := x.Up(resources(usual))
	x.OK("update", "--memory", "134217728", "--memory-swap", "201326592", "--cpu-quota", "20000", "--pids-limit", "50", "--cpu-share", "1024", x.ID)
	properties(x, scope(x.ID), map[string]string{
		"MemoryMax": "134217728", "MemorySwapMax": "67108864", "MemoryLow": "50331648", "CPUQuotaPerSecUSec": "200ms",
		"CPUQuotaPeriodUSec": "100ms", "TasksMax": "50", "CPUWeight": "100", "NeedDaemonReload": "no",
	})
	Equal(x, "quota", bandwidth(x, c), "20000 100000")
	// Half of a value: the unit gets the whole one. The file is exact, the unit in percents.
	x.OK("update", "--cpu-period", "30000", x.ID)
	Equal(x, "quota", bandwidth(x, c), "20000 30000")
	properties(x, scope(x.ID), map[string]string{"CPUQuotaPerSecUSec": "670ms", "CPUQuotaPeriodUSec": "30ms"})
	// systemd writes all it knows with every change.
	x.OK("update", "--pids-limit", "55", x.ID)
	Equal(x, "quota after another change", bandwidth(x, c), "20000 30000")
	x.OK("update", "--cpu-quota", "-1", "--pids-limit", "-1", x.ID)
	properties(x, scope(x.ID), map[string]string{"CPUQuotaPerSecUSec": "infinity", "TasksMax": "infinity"})
	Equal(x, "pids", read(x, c, pidsMax), "max")
}

// systemd refuses a MemoryHigh of 0, which the kernel takes: files, properties and
// device rules are again what they were.
func TestSystemdUpdateRollback(t *testing.T) {
	x := withSystemd(t, V2)
	c := x.Up(resources(usual))
	update := func(text string) Result { return fed(x, text, "update", "-r", "-", x.ID) }
	// As root also the rules, which are replaced behind the limits.
	devices := ""
	if !x.Rootless {
		devices = `"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":5,"access":"rwm"}],`
	}
	unit := map[string]string{
		"MemoryMax": "100663296", "MemoryHigh": "infinity", "TasksMax": "99", "CPUQuotaPerSecUSec": "500ms", "CPUQuotaPeriodUSec": "100ms", "CPUWeight": "59",
	}
	before := settings(x, c)
	for range 2 {
		x.Refused(update(`{`+devices+`"memory":{"limit":134217728},"pids":{"limit":50},"cpu":{"quota":20000,"period":50000,"shares":1024},"unified":{"memory.high":"0"}}`),
			1, "update .*MemoryHigh")
		Equal(x, "limits", settings(x, c), before)
		Equal(x, "memory.high", x.CgroupFile(c.Pid, "", "", "memory.high"), "max")
		properties(x, scope(x.ID), unit)
		c.ExecOK("/bin/sh", "-c", "echo x >/dev/null")
	}
	x.Code(update(`{"pids":{"limit":50}}`), 0)
	Equal(x, "pids", read(x, c, pidsMax), "50")
}

func TestSystemdUnified(t *testing.T) {
	x := withSystemd(t, V2)
	c := x.Up(resources(specs.LinuxResources{
		Pids:    &specs.LinuxPids{Limit: Ptr(int64(40))},
		Unified: map[string]string{"pids.max": "41", "memory.high": "64M", "memory.oom.group": "1", "cpu.max": "max 40000"},
	}))
	properties(x, scope(x.ID), map[string]string{"TasksMax": "41", "MemoryHigh": "67108864", "CPUQuotaPerSecUSec": "infinity", "CPUQuotaPeriodUSec": "40ms"})
	Equal(x, "memory.high", x.CgroupFile(c.Pid, "", "", "memory.high"), "67108864")
	Equal(x, "memory.oom.group", x.CgroupFile(c.Pid, "", "", "memory.oom.group"), "1")
}

func TestSystemdCpuset(t *testing.T) {
	x := withSystemd(t, V2, Root)
	c := x.Up(resources(specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0", Mems: "0"}}))
	properties(x, scope(x.ID), map[string]string{"AllowedCPUs": "0", "AllowedMemoryNodes": "0"})
	Equal(x, "cpus", read(x, c, cpusetOn), "0")
}

func TestSystemdAnnotations(t *testing.T) {
	x := withSystemd(t)
	x.Up(func(s *specs.Spec) {
		s.Annotations = map[string]string{
			"org.systemd.property.TimeoutStopSec": "7",
			"org.systemd.property.Documentation":  "['man:berth(1)', 'man:other(8)']",
			"org.systemd.property.SendSIGHUP":     "true",
			"org.systemd.property.CollectMode":    "'inactive'",
			"org.systemd.property.MemoryHigh":     "uint64 33554432",
		}
	})
	properties(x, scope(x.ID), map[string]string{
		"TimeoutStopUSec": "7s", "SendSIGHUP": "yes", "CollectMode": "inactive", "MemoryHigh": "33554432",
		"Documentation": `"man:berth(1)" "man:other(8)"`,
	})
}

// run.oci.systemd.subgroup: unit and cgroup have the same limits, and all verbs find
// the cgroup.
func TestSystemdSubgroup(t *testing.T) {
	x := withSystemd(t, V2)
	c := x.Up(resources(usual), annotated("run.oci.systemd.subgroup", "container"))
	unit := scope(x.ID)
	if dir := x.CgroupDir(c.Pid, ""); !strings.HasSuffix(dir, "/"+unit+"/container") {
		x.Errorf("init is in %s", dir)
	}
	properties(x, unit, map[string]string{"ActiveState": "active", "MemoryMax": "100663296", "TasksMax": "99"})
	Equal(x, "limits", read(x, c, memoryMax)+" "+read(x, c, pidsMax), "100663296 99")
	x.OK("update", "--memory", "134217728", "--pids-limit", "50", x.ID)
	properties(x, unit, map[string]string{"MemoryMax": "134217728", "TasksMax": "50"})
	Equal(x, "limits after an update", read(x, c, memoryMax)+" "+read(x, c, pidsMax), "134217728 50")
	own := x.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid))
	Equal(x, "cgroup of an exec", filepath.Base(strings.TrimSpace(c.ExecOK("/bin/cat", "/proc/self/cgroup"))), filepath.Base(strings.TrimSpace(own)))
	x.OK("pause", x.ID)
	Equal(x, "status", c.State().Status, "paused")
	x.OK("delete", "--force", x.ID)
	noUnit(x, unit)
	x.NothingLeft()
}

func TestSystemdRefused(t *testing.T) {
	for _, c := range []struct {
		name, want string
		edit       Edit
	}{
		{"path", `linux.cgroupsPath.*slice:prefix:name`, func(s *specs.Spec) { s.Linux.CgroupsPath = "/a/b" }},
		{"slice", `"a--b.slice" is not the name of a slice`, func(s *specs.Spec) { s.Linux.CgroupsPath = "a--b.slice:p:n" }},
		{"GVariant", `org.systemd.property.Nice: "'" is not a GVariant`, func(s *specs.Spec) {
			s.Annotations = map[string]string{"org.systemd.property.Nice": "'"}
		}},
		{"property", `start systemd unit .*NoSuchThing`, func(s *specs.Spec) {
			s.Annotations = map[string]string{"org.systemd.property.NoSuchThing": "5"}
		}},
		{"type", `start systemd unit`, func(s *specs.Spec) {
			s.Annotations = map[string]string{"org.systemd.property.SendSIGHUP": "'yes'"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := withSystemd(t)
			x.Refused(x.Foreground(x.Bundle(c.edit)), 1, c.want)
			x.NothingLeft()
			noUnit(x, scope(x.ID))
		})
	}
}

// Slices that do not exist are made, and names are escaped.
func TestSystemdSlice(t *testing.T) {
	x := withSystemd(t, V2)
	top := strings.NewReplacer("-", "", "_", "").Replace(x.ID)
	c := x.Up(func(s *specs.Spec) { s.Linux.CgroupsPath = top + "-pod.slice:p+:" + x.ID })
	unit := `p\x2b-` + x.ID + ".scope"
	want := "/" + top + ".slice/" + top + "-pod.slice/" + unit
	if dir := x.CgroupDir(c.Pid, ""); !strings.HasSuffix(dir, want) {
		x.Errorf("cgroup %s, want %s at its end", dir, want)
	}
	properties(x, unit, map[string]string{"Slice": top + "-pod.slice"})
	x.OK("delete", "--force", x.ID)
	noUnit(x, unit)
	systemctl(x, "stop", top+".slice")
}

// A unit of the same name that failed is in nobody's way.
func TestSystemdFailedUnit(t *testing.T) {
	x := withSystemd(t)
	unit := scope(x.ID)
	cmd := tool(x, "systemd-run", "--scope", "--quiet", "--unit", unit, "-p", "RuntimeMaxSec=1", "sleep", "1000")
	_ = cmd.Run() // systemd kills it after a second, which fails the scope
	x.Until("a failed unit", func() bool { return systemctl(x, "show", unit, "-p", "ActiveState", "--value") == "failed" })
	c := x.Up()
	properties(x, unit, map[string]string{"ActiveState": "active"})
	Equal(x, "status", c.State().Status, "running")
	x.OK("delete", "--force", x.ID)
	noUnit(x, unit)
}

// One that is active is somebody's: it is left alone.
func TestSystemdForeignUnit(t *testing.T) {
	x := withSystemd(t)
	unit := scope(x.ID)
	cmd := tool(x, "systemd-run", "--scope", "--quiet", "--unit", unit, "--slice", "btforeign.slice", "sleep", "1000")
	x.Must(cmd.Start())
	defer func() {
		_ = cmd.Process.Kill() // it may be what failed
		_ = cmd.Wait()
	}()
	x.Until("an active unit", func() bool { return systemctl(x, "show", unit, "-p", "ActiveState", "--value") == "active" })
	x.Refused(x.Foreground(x.Bundle()), 1, "systemd unit .* exists and is active")
	Equal(x, "the other's unit", systemctl(x, "show", unit, "-p", "ActiveState", "--value"), "active")
	x.OK("delete", "--force", x.ID)
	Equal(x, "the other's unit", systemctl(x, "show", unit, "-p", "ActiveState", "--value"), "active")
}

// A container that ended by itself leaves no unit, and one that is run again at once
// finds its name free.
func TestSystemdAgain(t *testing.T) {
	x := withSystemd(t)
	b := x.Bundle()
	for range 4 {
		x.Code(x.Foreground(b), 0)
	}
	noUnit(x, scope(x.ID))
}

// Device rules hold beside what systemd has, after an update and a reload, too.
func TestSystemdDevices(t *testing.T) {
	x := withSystemd(t, Root, Serial)
	// No driver has this number: allowed is ENXIO, denied EPERM.
	c := x.Up(func(s *specs.Spec) {
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
			Allow: true, Type: "c", Major: Ptr(int64(240)), Minor: Ptr(int64(7)), Access: "rwm",
		})
		// Making a node takes no rule; reading it does.
		s.Process.Capabilities.Bounding = append(slices.Clip(s.Process.Capabilities.Bounding), "CAP_MKNOD")
	})
	properties(x, scope(x.ID), map[string]string{"DevicePolicy": "strict"})
	c.ExecOK("/bin/probe", "try", "mknod:/dev/seven:c:240:7", "mknod:/dev/eight:c:240:8")
	check := func(when, seven, eight string) {
		x.Helper()
		var got Tried
		x.JSON(c.ExecOK("/bin/probe", "try", "open:/dev/seven", "open:/dev/eight", "openrw:/dev/null"), &got)
		Same(x, when, got, Tried{"open:/dev/seven": seven, "open:/dev/eight": eight, "openrw:/dev/null": "ok"})
	}
	check("created", "ENXIO", "EPERM")
	systemctl(x, "daemon-reload")
	check("reloaded", "ENXIO", "EPERM")
	x.Code(fed(x, `{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":240,"minor":8,"access":"rw"}]}`, "update", "-r", "-", x.ID), 0)
	check("updated", "EPERM", "ENXIO")
	systemctl(x, "daemon-reload")
	x.OK("update", "--pids-limit", "60", x.ID)
	check("reloaded again", "EPERM", "ENXIO")
}

// Without a session there is nobody to ask, and without systemd no driver.
func TestSystemdAbsent(t *testing.T) {
	x := New(t, Berth)
	if _, err := os.Lstat("/run/systemd/system"); err == nil {
		x.Skip("needs a host without systemd")
	}
	b := x.Bundle(func(s *specs.Spec) { s.Linux.CgroupsPath = "" })
	cmd := x.RunCmd(b)
	cmd.Globals = append(slices.Clip(cmd.Globals), "--systemd-cgroup")
	x.Refused(cmd.Run(), 1, "cgroup driver systemd: systemd does not run on this host .*use cgroupfs")
	x.NothingLeft()
}

func TestSystemdNoSession(t *testing.T) {
	x := withSystemd(t)
	if !x.Rootless {
		x.Skip("needs a login user")
	}
	cmd := x.RunCmd(x.Bundle())
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+x.Dir, "DBUS_SESSION_BUS_ADDRESS=")
	x.Refused(cmd.Run(), 1, "cgroup driver systemd: no systemd user session: .*loginctl enable-linger.*no such file or directory")
	x.NothingLeft()
}
