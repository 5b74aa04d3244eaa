package specconv

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"berth/internal/idmap"
	"berth/internal/linux"
	"berth/libcontainer/configs"
	"berth/libcontainer/intelrdt"
	"berth/libcontainer/wire"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// bundle makes a directory with what the configs in testdata name.
func bundle(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"rootfs", "data", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"resolv.conf", "hostname", "hosts"} {
		if err := os.WriteFile(filepath.Join(dir, "etc", f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load converts a file of testdata.
func load(t testing.TB, name string) (*configs.Config, error) {
	t.Helper()
	needRoot(t)
	doc, err := Load("", filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Convert(doc, Options{ID: "c1", Bundle: bundle(t), Debug: true})
}

// needRoot skips what an unprivileged caller is refused for lack of a user namespace.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: without it every config must have a user namespace")
	}
}

func TestDocker(t *testing.T) {
	cfg, err := load(t, "docker.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 || len(cfg.Notes) > 0 {
		t.Errorf("warnings %q, notes %q", cfg.Warnings, cfg.Notes)
	}
	var want, have bytes.Buffer
	profile, err := os.ReadFile("../seccomp/testdata/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	if json.Compact(&want, profile) != nil || json.Compact(&have, cfg.Seccomp) != nil || want.String() != have.String() {
		t.Error("the seccomp profile is not handed on as it stands")
	}
	p := &cfg.Plan
	if len(cfg.Namespaces) != 6 || !p.MountNS || !p.NewCgroupNS || p.UserNS || !p.HostHooks || !cfg.Terminal {
		t.Errorf("config %+v", cfg)
	}
	if p.KeyringName != "_ses.c1" || p.Terminal.Width != 120 || p.Terminal.Height != 40 || p.Process.Umask != 0o022 {
		t.Errorf("plan %+v", p)
	}
	if c := p.Process.Capabilities; c.Bounding != 0xa80425fb || c.Effective != c.Bounding || c.Permitted != c.Bounding || c.Inheritable != 0 {
		t.Errorf("capabilities %x, the default of docker is a80425fb", c)
	}
	m := p.Rootfs.Mounts[6]
	if m.Data != "mode=1777,size=67108864" || m.AttrSet != linux.MountAttrNosuid|linux.MountAttrNoexec|linux.MountAttrNodev {
		t.Errorf("/dev/shm %+v", m)
	}
	m = p.Rootfs.Mounts[10]
	if !m.Bind || !m.Recursive || m.AttrSet != linux.MountAttrRdonly || m.SuperFlags != 0 || m.Data != "" ||
		!slices.Equal(m.Propagation, []uint64{syscall.MS_PRIVATE | syscall.MS_REC}) || m.FD != -1 || m.Source != cfg.Bundle+"/data" {
		t.Errorf("/data %+v", m)
	}
	if !p.Rootfs.SetupDev || len(p.Rootfs.Devices) != 6 {
		t.Errorf("devices %v", p.Rootfs.Devices)
	}
	if !slices.Equal(p.Sysctls, []wire.Sysctl{
		{Path: "net/ipv4/ip_unprivileged_port_start", Value: "0"}, {Path: "net/ipv4/ping_group_range", Value: "0 2147483647"},
	}) {
		t.Errorf("sysctls %v", p.Sysctls)
	}
}

func TestPod(t *testing.T) {
	cfg, err := load(t, "pod.json")
	if err != nil {
		t.Fatal(err)
	}
	if ns := cfg.Namespace(linux.CLONE_NEWNET); ns == nil || ns.Path != "/proc/self/ns/net" {
		t.Errorf("network namespace %+v", ns)
	}
	m := cfg.Plan.Rootfs.Mounts[6]
	if m.AttrClr != 0 || m.AttrSet != 0 {
		t.Errorf("rw changes a bind mount: %+v", m)
	}
	m = cfg.Plan.Rootfs.Mounts[8]
	if m.AttrSet != linux.MountAttrRdonly || m.RecAttrSet != linux.MountAttrRdonly {
		t.Errorf("rro: %+v", m)
	}
	if l := cfg.Plan.Process.Rlimits; len(l) != 1 || l[0].Resource != 7 || l[0].Name != "RLIMIT_NOFILE" {
		t.Errorf("rlimits %v", l)
	}
	if !cfg.Plan.Rootfs.Readonly || !cfg.Plan.Process.NoNewPrivs || *cfg.Plan.Process.OOMScoreAdj != 1000 {
		t.Errorf("plan %+v", cfg.Plan)
	}
}

// TestTemplates: what `berth spec` writes must convert, also the rootless one for
// this user, and come back from its own JSON.
func TestTemplates(t *testing.T) {
	for _, rootless := range []bool{false, true} {
		if !rootless && os.Geteuid() != 0 {
			continue
		}
		data, err := json.Marshal(Default(rootless))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := Parse("config.json", data)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := Convert(doc, Options{ID: "x", Bundle: bundle(t), Debug: true})
		if err != nil {
			t.Fatalf("rootless %v: %v", rootless, err)
		}
		if len(cfg.Warnings)+len(cfg.Notes) > 0 {
			t.Errorf("rootless %v: %q %q", rootless, cfg.Warnings, cfg.Notes)
		}
		if rootless && (!cfg.Plan.UserNS || len(cfg.UIDMappings) != 1 || !cfg.Plan.Rootfs.BindDevices) {
			t.Errorf("rootless: %+v", cfg)
		}
	}
}

// valid is a config without faults, for the table below to break.
func valid() *Document {
	d := &Document{Spec: *Default(false)}
	d.Linux = &Linux{Linux: *d.Spec.Linux}
	d.Spec.Linux = nil
	d.Process.Terminal = false
	return d
}

func ptr[T any](v T) *T { return &v }

// TestFaults breaks a valid config in one place and expects one clear sentence.
func TestFaults(t *testing.T) {
	needRoot(t)
	type change func(d *Document)
	mount := func(m specs.Mount) change {
		return func(d *Document) { d.Mounts = []specs.Mount{m} }
	}
	userns := func(uids, gids []specs.LinuxIDMapping) change {
		return func(d *Document) {
			d.Linux.Namespaces = append(d.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
			d.Linux.UIDMappings, d.Linux.GIDMappings = uids, gids
		}
	}
	ns := func(kind, path string) change {
		return func(d *Document) {
			d.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}, {Type: "uts"}, {Type: specs.LinuxNamespaceType(kind), Path: path}}
		}
	}
	sysctl := func(key string) change {
		return func(d *Document) { d.Linux.Sysctl = map[string]string{key: "1"} }
	}
	device := func(list ...specs.LinuxDevice) change {
		return func(d *Document) { d.Linux.Devices = list }
	}
	hook := func(h specs.Hook) change {
		return func(d *Document) { d.Hooks = &specs.Hooks{Poststop: []specs.Hook{h}} }
	}
	ids := func(c, h, n uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{ContainerID: c, HostID: h, Size: n}}
	}
	for _, test := range []struct {
		name string
		edit change
		want string
	}{
		{"no root", func(d *Document) { d.Root = nil }, `root: missing`},
		{"no root.path", func(d *Document) { d.Root.Path = "" }, `root.path: missing`},
		{"missing rootfs", func(d *Document) { d.Root.Path = "nothere" }, `root.path "nothere": no such file or directory`},
		{"rootfs is a file", func(d *Document) { d.Root.Path = "etc/hosts" }, `root.path "etc/hosts" is not a directory`},
		{"rootfs is a symlink", func(d *Document) { d.Root.Path = "link" }, `root.path "link" is a symlink`},
		{"bad propagation", func(d *Document) { d.Linux.RootfsPropagation = "x" }, `linux.rootfsPropagation: "x" is not one of shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable`},
		{"relative masked path", func(d *Document) { d.Linux.MaskedPaths = []string{"/a", "b"} }, `linux.maskedPaths[1]: "b" is not absolute`},

		{"duplicate rlimit", func(d *Document) { d.Process.Rlimits = append(d.Process.Rlimits, d.Process.Rlimits[0]) }, `process.rlimits[1]: a second limit of type RLIMIT_NOFILE`},
		{"unknown rlimit", func(d *Document) { d.Process.Rlimits[0].Type = "RLIMIT_X" }, `process.rlimits[0].type: "RLIMIT_X" is not a resource limit of getrlimit(2)`},
		{"soft above hard", func(d *Document) { d.Process.Rlimits[0].Soft = 2000 }, `process.rlimits[0]: soft limit 2000 of RLIMIT_NOFILE is above the hard limit 1024`},

		{"duplicate namespace", func(d *Document) { d.Linux.Namespaces = append(d.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"}) }, `linux.namespaces[5]: a second namespace of type pid`},
		{"unknown namespace", ns("net", ""), `linux.namespaces[2].type: "net" is not one of cgroup, ipc, mount, network, pid, time, user, uts`},
		{"relative namespace path", ns("pid", "ns/pid"), `linux.namespaces[2].path: "ns/pid" is not absolute`},
		{"missing namespace path", ns("pid", "/proc/self/ns/x"), `linux.namespaces[2].path "/proc/self/ns/x": no such file or directory`},
		{"no namespace", ns("pid", "/dev/null"), `linux.namespaces[2].path "/dev/null": not a namespace`},
		{"wrong namespace", ns("pid", "/proc/self/ns/ipc"), `linux.namespaces[2].path "/proc/self/ns/ipc": a namespace of type ipc, not pid`},
		{"offsets without time ns", func(d *Document) { d.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1}} }, `linux.timeOffsets: needs a new time namespace in linux.namespaces`},
		{"unknown clock", func(d *Document) {
			d.Linux.Namespaces = append(d.Linux.Namespaces, specs.LinuxNamespace{Type: "time"})
			d.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"realtime": {}}
		}, `linux.timeOffsets: "realtime" is not a clock, expected monotonic or boottime`},

		{"mappings without userns", func(d *Document) { d.Linux.UIDMappings = ids(0, 1000, 1) }, `linux.uidMappings and linux.gidMappings need a user namespace in linux.namespaces`},
		{"no gid mappings", userns(ids(0, 1000, 10), nil), `linux.gidMappings: missing, a new user namespace needs it`},
		{"id 0 not mapped", userns(ids(1, 1000, 10), ids(0, 1000, 10)), `linux.uidMappings: the container's id 0 is not mapped; process.user.uid: 0 is not mapped in the container's user namespace (linux.uidMappings)`},
		{"empty mapping", userns(ids(0, 1000, 10), append(ids(0, 1000, 10), ids(20, 20, 0)...)), `linux.gidMappings[1].size: must not be 0`},
		{"mapping too large", userns(ids(0, 1000, 1<<32-1), ids(0, 1000, 10)), `linux.uidMappings[0]: goes beyond the largest id, 4294967294`},
		{"overlap in the container", userns(append(ids(0, 1000, 10), ids(9, 2000, 10)...), ids(0, 1000, 10)), `linux.uidMappings[1] overlaps linux.uidMappings[0]`},
		{"overlap on the host", userns(append(ids(0, 1000, 10), ids(10, 1009, 10)...), ids(0, 1000, 10)), `linux.uidMappings[1] overlaps linux.uidMappings[0]`},

		{"missing source", mount(specs.Mount{Destination: "/x", Source: "/nothere", Options: []string{"bind"}}), `mount source "/nothere" of mounts[0]: no such file or directory`},
		{"missing relative source", mount(specs.Mount{Destination: "/x", Source: "nothere", Type: "bind"}), `mount source "nothere" of mounts[0]: no such file or directory`},
		{"no source", mount(specs.Mount{Destination: "/x", Options: []string{"rbind"}}), `mounts[0].source: missing, a bind mount needs one`},
		{"no destination", mount(specs.Mount{Type: "tmpfs"}), `mounts[0].destination: missing`},
		{"no type", mount(specs.Mount{Destination: "/x", Source: "data"}), `mounts[0].type: missing, and the options name neither bind nor rbind`},
		{"tmpcopyup on a bind", mount(specs.Mount{Destination: "/x", Source: "data", Options: []string{"bind", "tmpcopyup"}}), `mounts[0].options: tmpcopyup needs a mount of type tmpfs`},
		{"copy-symlink without bind", mount(specs.Mount{Destination: "/x", Type: "tmpfs", Options: []string{"copy-symlink"}}), `mounts[0].options: copy-symlink and src-nofollow need a bind mount`},
		{"crun's idmap", mount(specs.Mount{Destination: "/x", Source: "data", Options: []string{"bind", "idmap=uids=0-1-10"}}), `mounts[0].options: "idmap=uids=0-1-10" is not supported, use idmap with uidMappings and gidMappings`},
		{"idmap without mappings", mount(specs.Mount{Destination: "/x", Source: "data", Options: []string{"bind", "idmap"}}), `mounts[0]: idmap needs uidMappings and gidMappings, or a user namespace of the container`},
		{"half an idmap", mount(specs.Mount{Destination: "/x", Source: "data", Options: []string{"bind"}, UIDMappings: ids(0, 1, 1)}), `mounts[0]: uidMappings and gidMappings must be given together`},
		{"idmapped tmpfs", mount(specs.Mount{Destination: "/x", Type: "tmpfs", UIDMappings: ids(0, 1, 1), GIDMappings: ids(0, 1, 1)}), `mounts[0]: idmap needs a bind mount`},
		{"over /proc/self/attr (T9)", mount(specs.Mount{Destination: "/proc/self/attr", Type: "tmpfs"}), `mounts[0]: "/proc/self/attr" cannot be mounted, it is inside /proc`},
		{"into /proc by dots", mount(specs.Mount{Destination: "/x/../proc/1", Type: "tmpfs"}), `mounts[0]: "/proc/1" cannot be mounted, it is inside /proc`},
		{"tmpfs on /proc", mount(specs.Mount{Destination: "/proc", Type: "tmpfs"}), `mounts[0]: only a file system of type proc can be mounted on /proc`},
		{"directory on /proc", mount(specs.Mount{Destination: "/proc", Source: "data", Type: "bind"}), `mounts[0]: only a file system of type proc can be mounted on /proc`},

		{"no args", func(d *Document) { d.Process.Args = nil }, `process.args: missing, there is nothing to run`},
		{"empty args[0]", func(d *Document) { d.Process.Args = []string{""} }, `process.args[0]: is empty, there is nothing to run`},
		{"no cwd", func(d *Document) { d.Process.Cwd = "" }, `process.cwd: missing`},
		{"relative cwd", func(d *Document) { d.Process.Cwd = "tmp" }, `process.cwd: "tmp" is not absolute`},
		{"env without =", func(d *Document) { d.Process.Env = []string{"A=1", "B"} }, `process.env[1]: is not NAME=VALUE`},
		{"umask", func(d *Document) { d.Process.User.Umask = ptr(uint32(0o1000)) }, `process.user.umask: 512 is larger than 511 (0777)`},
		{"uid -1", func(d *Document) { d.Process.User.UID = 1<<32 - 1 }, `process.user.uid: 4294967295 is not a valid id`},
		{"unmapped group", func(d *Document) {
			userns(ids(0, 1000, 10), ids(0, 1000, 10))(d)
			d.Process.User.AdditionalGids = []uint32{3, 10}
		}, `process.user.additionalGids[1]: 10 is not mapped in the container's user namespace (linux.gidMappings)`},
		{"oom score", func(d *Document) { d.Process.OOMScoreAdj = ptr(1001) }, `process.oomScoreAdj: 1001 is not between -1000 and 1000`},
		{"console size", func(d *Document) {
			d.Process.Terminal = true
			d.Process.ConsoleSize = &specs.Box{Width: 70000, Height: 2}
		}, `process.consoleSize: 70000x2, a terminal has at most 65535 columns and rows`},
		{"policy", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: "SCHED_X"} }, `process.scheduler.policy: "SCHED_X" is not a scheduling policy`},
		{"SCHED_ISO", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedISO} }, `process.scheduler.policy: SCHED_ISO is reserved, no kernel implements it`},
		{"fifo without priority", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedFIFO} }, `process.scheduler.priority: 0 is not between 1 and 99, as SCHED_FIFO needs`},
		{"priority of batch", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Priority: 2} }, `process.scheduler.priority: only SCHED_FIFO and SCHED_RR take one`},
		{"deadline of other", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Deadline: 2} }, `process.scheduler: runtime, deadline and period are for SCHED_DEADLINE only`},
		{"nice", func(d *Document) { d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: 20} }, `process.scheduler.nice: 20 is not between -20 and 19`},
		{"scheduler flag", func(d *Document) {
			d.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Flags: []specs.LinuxSchedulerFlag{"X"}}
		}, `process.scheduler.flags[0]: "X" is not a scheduling flag`},
		{"io class", func(d *Document) { d.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"} }, `process.ioPriority.class: "X" is not one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE`},
		{"io level", func(d *Document) {
			d.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 8}
		}, `process.ioPriority.priority: 8 is not between 0 and 7`},
		{"affinity", func(d *Document) { d.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: "3-1"} }, `process.execCPUAffinity.final: "3-1" is not a list like 0-3,7: range "3-1" runs backwards`},

		{"personality", func(d *Document) { d.Linux.Personality = &specs.LinuxPersonality{Domain: "X"} }, `linux.personality.domain: "X" is not one of LINUX, LINUX32`},
		{"personality flag", func(d *Document) {
			d.Linux.Personality = &specs.LinuxPersonality{Domain: "LINUX", Flags: []specs.LinuxPersonalityFlag{"X"}}
		}, `linux.personality.flags[0]: "X" is not a flag of personality(2)`},
		{"memory mode", func(d *Document) { d.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "X"} }, `linux.memoryPolicy.mode: "X" is not a mode of set_mempolicy(2)`},
		{"memory nodes missing", func(d *Document) { d.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind} }, `linux.memoryPolicy.nodes: missing, MPOL_BIND needs nodes`},
		{"memory nodes", func(d *Document) { d.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolLocal, Nodes: "0"} }, `linux.memoryPolicy.nodes: MPOL_LOCAL takes no nodes`},
		{"memory node list", func(d *Document) { d.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "a"} }, `linux.memoryPolicy.nodes: "a" is not a list like 0-3,7: "a" is not a number`},
		{"memory flags", func(d *Document) {
			d.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFRelativeNodes, specs.MpolFStaticNodes}}
		}, `linux.memoryPolicy.flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other`},

		{"hostname without uts", func(d *Document) { d.Linux.Namespaces = []specs.LinuxNamespace{{Type: "mount"}} }, `hostname: needs a uts namespace in linux.namespaces, or it would rename the host`},
		{"long domain", func(d *Document) { d.Domainname = strings.Repeat("a", 65) }, `domainname: 65 bytes long, the kernel takes at most 64`},

		{"sysctl climbs (T8)", sysctl("net/../kernel/core_pattern"), `linux.sysctl["net/../kernel/core_pattern"]: not the name of a kernel parameter`},
		{"sysctl climbs by dots", sysctl("net.//.kernel.core_pattern"), `linux.sysctl["net.//.kernel.core_pattern"]: not the name of a kernel parameter`},
		{"sysctl of the host", sysctl("kernel.core_pattern"), `linux.sysctl["kernel.core_pattern"]: is not separate for a container, it would change the host`},
		{"sysctl hostname", sysctl("kernel.hostname"), `linux.sysctl["kernel.hostname"]: use the field hostname`},
		{"sysctl without netns", func(d *Document) {
			ns("ipc", "")(d)
			sysctl("net.ipv4.ip_forward")(d)
		}, `linux.sysctl["net.ipv4.ip_forward"]: needs a network namespace of the container's own, or it would change the host`},
		{"sysctl in the host's netns by path", func(d *Document) {
			ns("network", "/proc/self/ns/net")(d)
			sysctl("net/ipv4/ip_forward")(d)
		}, `linux.sysctl["net/ipv4/ip_forward"]: needs a network namespace of the container's own, or it would change the host`},

		{"device type", device(specs.LinuxDevice{Path: "/dev/x", Type: "s"}), `linux.devices[0].type: "s" is not one of c, b, u, p`},
		{"device path", device(specs.LinuxDevice{Path: "dev/x", Type: "c"}), `linux.devices[0].path: "dev/x" is not absolute`},
		{"device number", device(specs.LinuxDevice{Path: "/dev/x", Type: "c", Major: 4096}), `linux.devices[0]: 4096:0 is not a device number`},
		{"second device", device(specs.LinuxDevice{Path: "/dev/x", Type: "c", Major: 1}, specs.LinuxDevice{Path: "/dev/./x", Type: "c", Major: 2}), `linux.devices[1].path: a second, different device "/dev/x"`},
		{"device that the host lacks", func(d *Document) {
			userns(ids(0, 1000, 10), ids(0, 1000, 10))(d)
			device(specs.LinuxDevice{Path: "/dev/nothere", Type: "c", Major: 1, Minor: 3})(d)
		}, `linux.devices[0]: host device "/dev/nothere": no such file or directory`},
		{"another device on the host", func(d *Document) {
			userns(ids(0, 1000, 10), ids(0, 1000, 10))(d)
			device(specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 5})(d)
		}, `linux.devices[0]: host device "/dev/null" is not 1:5, and a user namespace allows no mknod(2)`},

		{"net device without netns", func(d *Document) {
			ns("ipc", "")(d)
			d.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
		}, `linux.netDevices: needs a network namespace in linux.namespaces`},
		{"net device name", func(d *Document) {
			d.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "a/b"}}
		}, `linux.netDevices["eth0"].name: "a/b" is not the name of a network device`},
		{"net device twice", func(d *Document) {
			d.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {Name: "eth1"}, "eth1": {}}
		}, `linux.netDevices["eth1"].name: "eth1" is the name of "eth0" too`},

		{"hook path", hook(specs.Hook{Path: "bin/x"}), `hooks.poststop[0].path: "bin/x" is not absolute`},
		{"hook timeout", hook(specs.Hook{Path: "/bin/x", Timeout: ptr(0)}), `hooks.poststop[0].timeout: 0 is not greater than 0`},

		{"cgroupsPath", func(d *Document) { d.Linux.CgroupsPath = "/a/../../b" }, `linux.cgroupsPath: "/a/../../b" must not contain ..`},
		{"swap", func(d *Document) {
			d.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(2000)), Swap: ptr(int64(1000))}
		}, `linux.resources.memory.swap: 1000 is less than the limit 2000, it counts memory and swap`},
		{"cpus", func(d *Document) { d.Linux.Resources.CPU = &specs.LinuxCPU{Cpus: "x"} }, `linux.resources.cpu.cpus: "x" is not a list like 0-3,7: "x" is not a number`},
		{"device access", func(d *Document) { d.Linux.Resources.Devices[0].Access = "rx" }, `linux.resources.devices[0].access: "rx" may hold r, w and m only`},
		{"page size", func(d *Document) { d.Linux.Resources.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "../x"}} }, `linux.resources.hugepageLimits[0].pageSize: "../x" is not a page size`},
		{"unified", func(d *Document) { d.Linux.Resources.Unified = map[string]string{"../cgroup.procs": "1"} }, `linux.resources.unified["../cgroup.procs"]: not the name of a cgroup file`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := bundle(t)
			if err := os.Symlink("rootfs", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			doc := valid()
			test.edit(doc)
			_, err := Convert(doc, Options{ID: "c1", Bundle: dir})
			if err == nil {
				t.Fatalf("accepted, want %s", test.want)
			}
			var f ConfigErrors
			if !errors.As(err, &f) {
				t.Fatalf("error is a %T", err)
			}
			got := make([]string, len(f))
			for i := range f {
				got[i] = f[i].Error()
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), test.want)
			}
		})
	}
}

// TestIntelRdt: a host without resctrl is one fault, not the only one.
func TestIntelRdt(t *testing.T) {
	needRoot(t)
	for _, test := range []struct {
		rdt  specs.LinuxIntelRdt
		want string
	}{
		{specs.LinuxIntelRdt{ClosID: "a/b"}, `linux.intelRdt.closID: "a/b" is not a directory name`},
		{specs.LinuxIntelRdt{ClosID: ".."}, `linux.intelRdt.closID: ".." is not a directory name`},
		{specs.LinuxIntelRdt{MemBwSchema: "L3:0=f"}, `linux.intelRdt.memBwSchema: expected one line that starts with MB:`},
		{specs.LinuxIntelRdt{Schemata: []string{"L3:0=f", "L3:0=f\nMB:0=10"}}, `linux.intelRdt.schemata[1]: must be one line`},
		{specs.LinuxIntelRdt{L3CacheSchema: "L3:0=f\nMB:0=10"}, `linux.intelRdt.l3CacheSchema: must be one line`},
	} {
		doc := valid()
		doc.Linux.IntelRdt = &test.rdt
		_, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
		var f ConfigErrors
		if !errors.As(err, &f) {
			t.Fatalf("%v", err)
		}
		_, lacking := intelrdt.Find()
		if got := f[len(f)-1].Error(); got != test.want || (len(f) == 2) != (lacking != nil) {
			t.Errorf("%v, want %s", f, test.want)
		}
	}
}

// TestHostLacksLSM: a label without its security module would run unconfined.
func TestHostLacksLSM(t *testing.T) {
	needRoot(t)
	doc := valid()
	doc.Process.ApparmorProfile, doc.Process.SelinuxLabel, doc.Linux.MountLabel = "p", "l", "m"
	_, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	for _, l := range []struct {
		enabled  bool
		sentence string
	}{
		{apparmorEnabled(), "process.apparmorProfile: AppArmor is not enabled on this host"},
		{selinuxEnabled(), "process.selinuxLabel: SELinux is not enabled on this host"},
		{selinuxEnabled(), "linux.mountLabel: SELinux is not enabled on this host"},
	} {
		if refused := err != nil && strings.Contains(err.Error(), l.sentence); refused == l.enabled {
			t.Errorf("enabled %v, error %v", l.enabled, err)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	needRoot(t)
	doc := valid()
	doc.Root.Path = "nothere"
	doc.Process.Cwd = "x"
	doc.Linux.Namespaces = append(doc.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
	_, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	want := `3 faults in the configuration: linux.namespaces[5]: a second namespace of type pid; ` +
		`root.path "nothere": no such file or directory; process.cwd: "x" is not absolute`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if !errors.Is(err, syscall.ENOENT) {
		t.Error("errors.Is does not find ENOENT")
	}
}

// TestWarnings: what is left out is named, and the container is made.
func TestWarnings(t *testing.T) {
	needRoot(t)
	doc := valid()
	doc.Mounts = append(doc.Mounts,
		specs.Mount{Destination: "rel", Type: "tmpfs"},
		specs.Mount{Destination: "/b", Source: "data", Options: []string{"bind", "size=1k"}})
	doc.Process.Capabilities.Bounding = append(doc.Process.Capabilities.Bounding, "CAP_FLY", "sys_admin")
	doc.Process.Capabilities.Ambient = []string{"CAP_KILL"}
	doc.Process.CommandLine, doc.Process.User.Username = "cmd", "name"
	kernel := int64(1 << 20)
	doc.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Kernel: &kernel}} //nolint:staticcheck // deprecated, and to be told of
	empty := json.RawMessage(`{}`)
	doc.Windows, doc.Solaris, doc.VM, doc.ZOS, doc.FreeBSD = empty, empty, empty, empty, empty
	cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`mounts[7].destination "rel" is not absolute: taken as relative to / (deprecated)`,
		`mounts[8].options: "size=1k" ignored, a bind mount takes no file system options`,
		`process.commandLine: ignored, it is for Windows`,
		`process.user.username: ignored, it is for Windows`,
		`process.capabilities.bounding: unknown capability "CAP_FLY" ignored`,
		`process.capabilities.ambient: CAP_KILL ignored, not in inheritable`,
		`linux.resources.memory.kernel: ignored, the kernel has given up such limits (v5.16)`,
		`solaris: section ignored, it is not for Linux containers`,
		`windows: section ignored, it is not for Linux containers`,
		`vm: section ignored, it is not for Linux containers`,
		`zos: section ignored, it is not for Linux containers`,
		`freebsd: section ignored, it is not for Linux containers`,
	}
	if !slices.Equal(cfg.Warnings, want) {
		t.Errorf("got  %q\nwant %q", cfg.Warnings, want)
	}
	if cfg.Plan.Rootfs.Mounts[7].Destination != "/rel" {
		t.Errorf("destination %q", cfg.Plan.Rootfs.Mounts[7].Destination)
	}
	if cfg.Plan.Process.Capabilities.Bounding&(1<<21) == 0 {
		t.Error("sys_admin without CAP_ is not taken")
	}
}

// TestWithoutMountNamespace: nothing that would change the host's mounts is left in the plan.
func TestWithoutMountNamespace(t *testing.T) {
	needRoot(t)
	doc := valid()
	doc.Hostname = ""
	doc.Linux.Namespaces = nil
	cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	if err != nil {
		t.Fatal(err)
	}
	r := &cfg.Plan.Rootfs
	if cfg.Plan.MountNS || len(r.Mounts)+len(r.Devices)+len(r.MaskedPaths)+len(r.ReadonlyPaths) > 0 || r.Readonly || r.SetupDev {
		t.Errorf("plan %+v", cfg.Plan)
	}
	want := "left out without a mount namespace of the container: mounts, linux.maskedPaths, linux.readonlyPaths, root.readonly"
	if !slices.Contains(cfg.Warnings, want) {
		t.Errorf("warnings %q", cfg.Warnings)
	}
}

// TestNoProcess: create works without a process, start is to fail.
func TestNoProcess(t *testing.T) {
	needRoot(t)
	doc := valid()
	doc.Process = nil
	cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t), NoNewKeyring: true})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.HasProcess || len(cfg.Plan.Process.Args) > 0 || cfg.Plan.KeyringName != "" {
		t.Errorf("config %+v", cfg)
	}
}

func TestIDMap(t *testing.T) {
	needRoot(t)
	doc := valid()
	m := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 5}}
	doc.Mounts = []specs.Mount{
		{Destination: "/a", Type: "tmpfs"},
		{Destination: "/b", Source: "data", Options: []string{"rbind", "ridmap"}, UIDMappings: m, GIDMappings: m},
	}
	cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.IDMapMounts) != 1 || cfg.IDMapMounts[0].Mount != 1 || !cfg.IDMapMounts[0].Recursive ||
		cfg.IDMapMounts[0].UIDMappings[0] != (configs.IDMap{Container: 0, Host: 1000, Size: 5}) {
		t.Errorf("%+v", cfg.IDMapMounts)
	}
}

// TestDevices: a device of the config replaces the default of the same path, an
// equal second one is dropped, /dev/ptmx is never a node.
func TestDevices(t *testing.T) {
	needRoot(t)
	doc := valid()
	fuse := specs.LinuxDevice{Path: "/dev/fuse", Type: "u", Major: 10, Minor: 229, FileMode: ptr(os.FileMode(0o100640)), GID: ptr(uint32(7))}
	doc.Linux.Devices = []specs.LinuxDevice{
		fuse, fuse,
		{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, FileMode: ptr(os.FileMode(0o600))},
		{Path: "/dev/ptmx", Type: "c", Major: 5, Minor: 2},
		{Path: "/run/pipe", Type: "p"},
	}
	cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
	if err != nil {
		t.Fatal(err)
	}
	list := cfg.Plan.Rootfs.Devices
	if len(list) != 8 {
		t.Fatalf("devices %+v", list)
	}
	if d := list[findDevice(list, "/dev/null")]; d.Mode != syscall.S_IFCHR|0o600 {
		t.Errorf("/dev/null %+v", d)
	}
	if d := list[findDevice(list, "/dev/fuse")]; d != (wire.Device{Path: "/dev/fuse", Mode: syscall.S_IFCHR | 0o640, Major: 10, Minor: 229, GID: 7}) {
		t.Errorf("/dev/fuse %+v", d)
	}
	if d := list[findDevice(list, "/run/pipe")]; d.Mode != syscall.S_IFIFO|0o666 {
		t.Errorf("/run/pipe %+v", d)
	}
}

// TestConvertProcess: the faults of an exec's process read the same, and the
// affinity for exec becomes a mask.
func TestConvertProcess(t *testing.T) {
	p := Default(false).Process
	p.ExecCPUAffinity = &specs.CPUAffinity{Final: "0,2-3"}
	p.Scheduler = &specs.Scheduler{Policy: specs.SchedRR, Priority: 5, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}
	p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 4}
	p.Env = []string{"A=1", "B=2", "A=3"}
	w, warnings, err := ConvertProcess(p, ProcessOptions{Exec: true})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if len(w.FinalAffinity) != 8 || w.FinalAffinity[0] != 0b1101 || w.AllCPUs {
		t.Errorf("affinity %v, all %t", w.FinalAffinity, w.AllCPUs)
	}
	if w.Scheduler.Policy != 2 || w.Scheduler.Priority != 5 || w.Scheduler.Flags != 1 || *w.IOPriority != 2<<13|4 {
		t.Errorf("scheduler %+v, io priority %d", w.Scheduler, *w.IOPriority)
	}
	if !slices.Equal(w.Env, []string{"A=3", "B=2"}) {
		t.Errorf("env %q", w.Env)
	}
	p.Cwd = ""
	if _, _, err = ConvertProcess(p, ProcessOptions{}); err == nil || err.Error() != "process.cwd: missing" {
		t.Errorf("error %v", err)
	}
	p.Cwd, p.User.AdditionalGids = "/", []uint32{4}
	_, _, err = ConvertProcess(p, ProcessOptions{NoSetgroups: true})
	if err == nil || err.Error() != "process.user.additionalGids: cannot be set by an ordinary user without a range of group ids" {
		t.Errorf("error %v", err)
	}
}

func TestFinalPropagation(t *testing.T) {
	needRoot(t)
	for _, test := range []struct {
		value         string
		before, final uint64
	}{
		{"", syscall.MS_SLAVE | syscall.MS_REC, 0},
		{"private", syscall.MS_PRIVATE | syscall.MS_REC, 0},
		{"shared", syscall.MS_SLAVE | syscall.MS_REC, syscall.MS_SHARED},
		{"unbindable", syscall.MS_SLAVE | syscall.MS_REC, syscall.MS_UNBINDABLE},
	} {
		doc := valid()
		doc.Linux.RootfsPropagation = test.value
		cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
		if err != nil {
			t.Fatal(err)
		}
		if r := &cfg.Plan.Rootfs; r.Propagation != test.before || r.FinalPropagation != test.final {
			t.Errorf("%q: %#x then %#x", test.value, r.Propagation, r.FinalPropagation)
		}
	}
}

func TestJoinedUserNamespace(t *testing.T) {
	needRoot(t)
	same := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1<<32 - 1}}
	other := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 7, Size: 10}}
	if idmap.Inside() {
		t.Skip("the tests run in a user namespace, whose map is not the identity")
	}
	for _, test := range []struct {
		maps []specs.LinuxIDMapping
		ok   bool
	}{{nil, true}, {same, true}, {other, false}} {
		doc := valid()
		doc.Linux.Namespaces = append(doc.Linux.Namespaces, specs.LinuxNamespace{Type: "user", Path: "/proc/self/ns/user"})
		doc.Linux.UIDMappings, doc.Linux.GIDMappings = test.maps, test.maps
		cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
		if (err == nil) != test.ok {
			t.Errorf("%v: %v", test.maps, err)
		}
		if err == nil && (!cfg.Plan.UserNS || cfg.UIDMappings != nil) {
			t.Errorf("%+v", cfg)
		}
	}
}
