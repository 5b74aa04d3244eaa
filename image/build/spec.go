package build

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"berth/image/build/tree"
	"berth/image/bundle"
	"berth/seccomp"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// spec is the config.json of a RUN step, without the mounts of the step itself.
func (s *runStep) spec(root *tree.Root) (*specs.Spec, error) {
	r := s.r
	user, err := root.LookupUser(r.config.Config.User)
	if err != nil {
		return nil, fmt.Errorf("USER: %w", err)
	}
	if r.o.UserNS && setgroupsDenied() {
		user.Groups = nil
	}
	cwd := r.config.Config.WorkingDir
	if cwd == "" {
		cwd = "/"
	}
	caps := bundle.DefaultCaps()
	if s.insecure {
		caps = bundle.AllCaps()
	}
	hostname := r.o.Run.Hostname
	if hostname == "" {
		hostname = "buildstep"
	}
	spec := &specs.Spec{
		Version:  "1.0.2",
		Hostname: hostname,
		Root:     &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			User: specs.User{UID: uint32(user.UID), GID: uint32(user.GID), AdditionalGids: user.Groups},
			Args: s.args,
			Env:  s.processEnv(user),
			Cwd:  cwd,
			// None inheritable and ambient: programs would hand them on (CVE-2022-29162).
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:      rlimits(r.o.Run.Ulimits),
		},
		Mounts: s.systemMounts(),
		Linux: &specs.Linux{
			Namespaces: s.namespaces(),
			Resources:  s.resources(),
		},
	}
	if s.insecure {
		return spec, nil
	}
	spec.Linux.MaskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
	if r.o.UserNS {
		// The host's /sys is bound then, and what is mounted below it is not read-only with
		// it: a command could change the cgroups of the user's session (CVE-2023-25809).
		spec.Linux.MaskedPaths = append(spec.Linux.MaskedPaths, "/sys/fs/cgroup")
	}
	spec.Linux.ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	spec.Linux.Seccomp, err = defaultProfile()
	return spec, err
}

// defaultProfile reads the profile once for all steps, which do not change it.
var defaultProfile = sync.OnceValues(seccomp.Default)

// setgroupsDenied tells a user namespace whose groups cannot be chosen: one with a
// single id, made without help of newgidmap (user_namespaces(7)).
func setgroupsDenied() bool {
	raw, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && strings.HasPrefix(string(raw), "deny")
}

// processEnv is the environment of the stage, with HOME from the image's passwd, and
// the proxies of --build-arg.
func (s *runStep) processEnv(user tree.User) []string {
	env := s.env
	for _, name := range sortedNames(s.r.o.BuildArgs) {
		if isProxy(name) {
			if _, ok := s.r.env.Get(name); !ok {
				env = append(env[:len(env):len(env)], name+"="+s.r.o.BuildArgs[name])
			}
		}
	}
	if _, ok := s.r.env.Get("HOME"); !ok && user.Home != "" {
		env = append(env[:len(env):len(env)], "HOME="+user.Home)
	}
	return env
}

func rlimits(list []Ulimit) []specs.POSIXRlimit {
	var out []specs.POSIXRlimit
	for _, u := range list {
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: u.Soft, Hard: u.Hard})
	}
	return out
}

func (s *runStep) namespaces() []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.UTSNamespace}, {Type: specs.MountNamespace}}
	if s.network == "none" {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	if _, err := os.Stat("/proc/self/ns/cgroup"); err == nil {
		list = append(list, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return list
}

func (s *runStep) resources() *specs.LinuxResources {
	if s.r.o.UserNS {
		return s.limits(nil)
	}
	return s.limits(&specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: s.insecure, Access: "rwm"}}})
}

// limits adds the limits of the build's flags.
func (s *runStep) limits(res *specs.LinuxResources) *specs.LinuxResources {
	o := s.r.o.Run
	if o.Memory == 0 && o.CPUs == 0 {
		return res
	}
	if res == nil {
		res = &specs.LinuxResources{}
	}
	if o.Memory > 0 {
		res.Memory = &specs.LinuxMemory{Limit: &o.Memory}
	}
	if o.CPUs > 0 {
		period := uint64(100_000)
		quota := int64(o.CPUs * float64(period))
		res.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	}
	return res
}

// systemMounts are those that every container has.
func (s *runStep) systemMounts() []specs.Mount {
	shm := "size=65536k"
	if n := s.r.o.Run.ShmSize; n > 0 {
		shm = fmt.Sprintf("size=%d", n)
	}
	sysOptions := []string{"nosuid", "noexec", "nodev"}
	if !s.insecure {
		sysOptions = append(sysOptions, "ro")
	}
	sys := specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sysOptions}
	devpts := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if s.r.o.UserNS {
		if s.network == "host" {
			// A new sysfs needs a network namespace of one's own.
			sys = specs.Mount{Destination: "/sys", Type: "none", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
		}
	} else {
		devpts = append(devpts, "gid=5")
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: devpts},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", shm}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		sys,
	}
}
