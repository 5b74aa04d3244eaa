package rootfs

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"berth/libcontainer/wire"
)

// v1Hierarchies are what the host has mounted below /sys/fs/cgroup.
func v1Hierarchies(w *world) (all []wire.CgroupHierarchy) {
	for _, m := range w.mounts() {
		name, below := strings.CutPrefix(m.point, "/sys/fs/cgroup/")
		if !below || strings.Contains(name, "/") {
			continue
		}
		h := wire.CgroupHierarchy{Name: name, Links: strings.Split(name, ",")}
		switch m.fstype {
		case "cgroup2":
			h.Options = "cgroup2"
		case "cgroup":
			var opts []string
			for _, o := range strings.Split(m.super, ",") {
				if o != "rw" && o != "ro" && o != "xattr" && !strings.HasPrefix(o, "release_agent") {
					opts = append(opts, o)
				}
			}
			if strings.Contains(m.super, "name=") {
				opts = append(opts, "none")
			}
			h.Options = strings.Join(opts, ",")
		default:
			continue
		}
		all = append(all, h)
	}
	if len(all) == 0 {
		w.Skip("no cgroup v1 hierarchies on this host")
	}
	return all
}

func TestCgroupV1(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		all := v1Hierarchies(w)
		all[0].Links = append(all[0].Links, "alias")
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", CgroupV1: all, AttrSet: nosuid | noexec | nodev | ro},
		}})
		if m := w.expect("/sys/fs/cgroup", "ro", "nosuid", "noexec", "nodev"); m.fstype != "tmpfs" {
			w.Errorf("/sys/fs/cgroup is a %s", m.fstype)
		}
		for _, h := range all {
			m := w.expect("/sys/fs/cgroup/"+h.Name, "ro", "nosuid", "noexec", "nodev")
			if want := h.Options == "cgroup2"; (m.fstype == "cgroup2") != want {
				w.Errorf("%s is a %s", h.Name, m.fstype)
			}
			if _, err := os.Stat("/sys/fs/cgroup/" + h.Name + "/cgroup.procs"); err != nil {
				w.Error(err)
			}
		}
		if text, err := os.Readlink("/sys/fs/cgroup/alias"); err != nil || text != all[0].Name {
			w.Errorf("alias → %q, %v", text, err)
		}
	})
}

// Without a cgroup namespace the container's own directory is bound.
func TestCgroupV1Bind(t *testing.T) {
	inside(t, []string{modern, legacy, userns}, func(w *world) {
		all := v1Hierarchies(w)
		for i := range all {
			all[i].Source = "/sys/fs/cgroup/" + all[i].Name
		}
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", CgroupV1: all, AttrSet: nosuid | ro, Propagation: []uint64{syscall.MS_SHARED}},
		}})
		if m := w.expect("/sys/fs/cgroup", "ro", "nosuid"); !strings.HasPrefix(m.optional, "shared") {
			w.Errorf("propagation %q", m.optional)
		}
		for _, h := range all {
			w.expect("/sys/fs/cgroup/"+h.Name, "ro", "nosuid")
		}
	})
}

func TestCgroup2(t *testing.T) {
	inside(t, []string{modern, legacy}, func(w *world) {
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/sys/fs/cgroup", Type: "cgroup2", Source: "cgroup", AttrSet: nosuid | noexec | nodev | ro},
		}})
		if m := w.expect("/sys/fs/cgroup", "ro", "nosuid", "noexec", "nodev"); m.fstype != "cgroup2" {
			w.Errorf("/sys/fs/cgroup is a %s", m.fstype)
		}
	})
}

// A user namespace that shares the host's cgroup namespace may not mount cgroup2:
// the own cgroup is bound, or the whole tree, read-only (CVE-2023-25809).
func TestCgroup2Fallback(t *testing.T) {
	inside(t, []string{userns, usernsLegacy}, func(w *world) {
		w.write("cg/mine/cgroup.procs", "")
		mounts := []wire.Mount{
			{Destination: "/own", Type: "cgroup2", Source: "cgroup", CgroupV2: base + "/cg/mine", AttrSet: nosuid},
			{Destination: "/gone", Type: "cgroup2", Source: "cgroup", CgroupV2: base + "/cg/none"},
			{Destination: "/all", Type: "cgroup2", Source: "cgroup", AttrSet: nosuid},
		}
		if w.variant == usernsLegacy {
			// The host's mounts below need the recursive flags of the mount API.
			mounts = mounts[:2]
		}
		w.enter(&wire.Rootfs{Mounts: mounts})
		w.expect("/own", "rw", "nosuid")
		if _, err := os.Stat("/own/cgroup.procs"); err != nil {
			w.Error(err)
		}
		if w.variant == userns {
			w.expect("/all", "ro", "nosuid")
			for _, m := range w.mounts() {
				if strings.HasPrefix(m.point, "/all/") && !m.has("ro") {
					w.Errorf("%s is writable", m.point)
				}
			}
		}
		if m := w.expect("/gone", "ro"); m.fstype != "tmpfs" || len(w.warned) != 1 {
			w.Errorf("/gone is a %s, warnings %q", m.fstype, w.warned)
		}
	})
}

func TestCgroup2WithoutNamespace(t *testing.T) {
	inside(t, []string{userns}, func(w *world) {
		w.write("cg/mine/cgroup.procs", "")
		w.sharedCgroupNS = true
		w.enter(&wire.Rootfs{Mounts: []wire.Mount{
			{Destination: "/all", Type: "cgroup2", Source: "cgroup", CgroupV2: base + "/cg/mine"},
		}})
		if m := w.expect("/all", "ro"); m.source == "tmpfs" && m.root == "/cg/mine" {
			w.Error("the own cgroup is shown as if it were the root")
		}
	})
}
