package specconv

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The rules of config-linux.md, "Cgroup ownership".
func TestCgroupOwner(t *testing.T) {
	needRoot(t)
	cgroupns := specs.LinuxNamespace{Type: specs.CgroupNamespace}
	userns := specs.LinuxNamespace{Type: specs.UserNamespace}
	maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1}, {ContainerID: 1, HostID: 200000, Size: 1000}}
	mount := specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"}
	for _, c := range []struct {
		name   string
		ns     []specs.LinuxNamespace
		maps   []specs.LinuxIDMapping
		uid    uint32
		mounts []specs.Mount
		want   int
	}{
		{"root of a user namespace", []specs.LinuxNamespace{cgroupns, userns}, maps, 0, []specs.Mount{mount}, 100000},
		{"a user of one", []specs.LinuxNamespace{cgroupns, userns}, maps, 7, []specs.Mount{mount}, 200006},
		{"no user namespace", []specs.LinuxNamespace{cgroupns}, nil, 7, []specs.Mount{mount}, 7},
		{"root", []specs.LinuxNamespace{cgroupns}, nil, 0, []specs.Mount{mount}, 0},
		{"no cgroup namespace", []specs.LinuxNamespace{userns}, maps, 0, []specs.Mount{mount}, 0},
		{"a joined one", []specs.LinuxNamespace{{Type: specs.CgroupNamespace, Path: "/proc/self/ns/cgroup"}, userns}, maps, 0, []specs.Mount{mount}, 0},
		{"no mount", []specs.LinuxNamespace{cgroupns, userns}, maps, 0, nil, 0},
		{"read-only", []specs.LinuxNamespace{cgroupns, userns}, maps, 0, []specs.Mount{{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "ro"}}}, 0},
		{"elsewhere", []specs.LinuxNamespace{cgroupns, userns}, maps, 0, []specs.Mount{{Destination: "/cgroup", Type: "cgroup", Source: "cgroup"}}, 0},
	} {
		doc := &Document{Linux: &Linux{}}
		doc.Version, doc.Root, doc.Mounts = "1.2.0", &specs.Root{Path: "rootfs"}, c.mounts
		doc.Process = &specs.Process{Args: []string{"true"}, Cwd: "/", User: specs.User{UID: c.uid}}
		doc.Linux.Namespaces = append([]specs.LinuxNamespace{{Type: specs.MountNamespace}}, c.ns...)
		doc.Linux.UIDMappings, doc.Linux.GIDMappings = c.maps, c.maps
		cfg, err := Convert(doc, Options{ID: "c1", Bundle: bundle(t)})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if cfg.Cgroup.Owner != c.want {
			t.Errorf("%s: owner %d, want %d", c.name, cfg.Cgroup.Owner, c.want)
		}
	}
}
