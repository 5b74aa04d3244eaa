package specconv

import (
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// FeatureFacts is what other packages know of this build.
type FeatureFacts struct {
	// Version and Commit of berth.
	Version, Commit string
	// Seccomp is filled by the seccomp package; nil: no such block.
	Seccomp *features.Seccomp
	// CgroupV2, Systemd, SystemdUser, Rdma, IntelRdt and NetDevices say what is compiled in.
	CgroupV2, Systemd, SystemdUser, Rdma, IntelRdt, NetDevices bool
}

// Features answers `berth features` from the tables Convert reads.
func Features(facts FeatureFacts) *features.Features {
	yes := true
	f := &features.Features{
		OCIVersionMin:                      minVersion,
		OCIVersionMax:                      maxVersion,
		Hooks:                              hookNames[:],
		Annotations:                        map[string]string{"berth.version": facts.Version, "berth.commit": facts.Commit},
		PotentiallyUnsafeConfigAnnotations: unsafeAnnotations[:],
		Linux: &features.Linux{
			Seccomp: facts.Seccomp,
			Cgroup: &features.Cgroup{
				V1: &yes, V2: &facts.CgroupV2, Systemd: &facts.Systemd, SystemdUser: &facts.SystemdUser, Rdma: &facts.Rdma,
			},
			Apparmor:        &features.Apparmor{Enabled: &yes},
			Selinux:         &features.Selinux{Enabled: &yes},
			IntelRdt:        &features.IntelRdt{Enabled: &facts.IntelRdt, Schemata: &facts.IntelRdt, Monitoring: &facts.IntelRdt},
			MemoryPolicy:    memoryFeatures(),
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: &yes}},
			NetDevices:      &features.NetDevices{Enabled: &facts.NetDevices},
		},
	}
	for i := range mountOptions {
		f.MountOptions = append(f.MountOptions, mountOptions[i].name)
	}
	for i := range nsKinds {
		f.Linux.Namespaces = append(f.Linux.Namespaces, string(nsKinds[i].name))
	}
	for _, name := range capNames {
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
