package specconv

import (
	"berth/internal/linux"

	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// Features answers `berth features` from the tables Convert reads. Version and commit
// are berth's; seccomp is what its package knows.
func Features(version, commit string, seccomp *features.Seccomp) *features.Features {
	yes := true
	f := &features.Features{
		OCIVersionMin:                      minVersion,
		OCIVersionMax:                      maxVersion,
		Hooks:                              hookNames[:],
		Annotations:                        map[string]string{"berth.version": version, "berth.commit": commit},
		PotentiallyUnsafeConfigAnnotations: unsafeAnnotations[:],
		Linux: &features.Linux{
			Seccomp:         seccomp,
			Cgroup:          &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes, Rdma: &yes},
			Apparmor:        &features.Apparmor{Enabled: &yes},
			Selinux:         &features.Selinux{Enabled: &yes},
			IntelRdt:        &features.IntelRdt{Enabled: &yes, Schemata: &yes, Monitoring: &yes},
			MemoryPolicy:    memoryFeatures(),
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
			NetDevices:      &features.NetDevices{Enabled: &yes},
		},
	}
	for i := range mountOptions {
		f.MountOptions = append(f.MountOptions, mountOptions[i].name)
	}
	for i := range nsKinds {
		f.Linux.Namespaces = append(f.Linux.Namespaces, string(nsKinds[i].name))
	}
	for _, name := range linux.CapNames {
		f.Linux.Capabilities = append(f.Linux.Capabilities, "CAP_"+name)
	}
	return f
}

func memoryFeatures() *features.MemoryPolicy {
	m := &features.MemoryPolicy{}
	for _, mode := range memoryModes {
		m.Modes = append(m.Modes, string(mode.name))
	}
	for _, flag := range memoryFlags {
		m.Flags = append(m.Flags, string(flag.name))
	}
	return m
}
