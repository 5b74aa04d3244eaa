package host

import (
	"os"
	"path"
	"slices"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

func layoutName() string {
	l, err := cgfile.Detect()
	switch {
	case err != nil:
		return "none"
	case l.V2:
		return "v2"
	case l.Unified != "":
		return "hybrid"
	}
	return "v1"
}

// cgroupFacts tells which controllers there are and whether the caller may make
// cgroups.
func cgroupFacts() []Fact {
	const group = "cgroups"
	l, err := cgfile.Detect()
	if err != nil {
		return []Fact{{Group: group, Name: "mounted", Reason: err.Error()}}
	}
	have := controllers(l)
	var facts []Fact
	for _, name := range []string{"cpu", "cpuset", "memory", "pids", "devices", "freezer", "blkio", "hugetlb", "net_cls", "net_prio", "rdma", "misc"} {
		facts = append(facts, controllerFact(l, have, name))
	}
	return append(facts, writable(l))
}

// controllers maps each controller to where it is.
func controllers(l *cgroups.Layout) map[string]string {
	have := map[string]string{}
	root := l.Unified
	if l.V2 {
		root = l.Root
	}
	if root != "" {
		for name := range strings.FieldsSeq(read(path.Join(root, "cgroup.controllers"))) {
			have[name] = "in " + root
		}
	}
	for _, h := range l.Hierarchies {
		for _, name := range h.Controllers {
			have[name] = "on " + path.Join(l.Root, h.Name)
		}
	}
	return have
}

func controllerFact(l *cgroups.Layout, have map[string]string, name string) Fact {
	f := Fact{Group: "cgroups", Name: name}
	where := have[name]
	switch {
	case where != "":
		f.OK, f.Reason = true, where
	case l.V2 && name == "devices":
		f.OK, f.Reason = true, "an eBPF program"
	case l.V2 && name == "freezer":
		f.OK, f.Reason = true, "cgroup.freeze"
	case l.V2 && name == "blkio" && have["io"] != "":
		f.OK, f.Reason = true, "io, "+have["io"]
	case l.V2 && slices.Contains([]string{"net_cls", "net_prio"}, name):
		f.Reason = "cgroup v2 has none"
	default:
		f.Reason = "the controller is not mounted, or not in the kernel"
	}
	return f
}

// writable tells whether the caller may make cgroups: root always, others where
// their own cgroup was delegated to them.
func writable(l *cgroups.Layout) Fact {
	const name = "may be made"
	if os.Geteuid() == 0 {
		return Fact{Group: "cgroups", Name: name, OK: true, Reason: "by root"}
	}
	root, own := l.Unified, l.Own
	if l.V2 {
		root = l.Root
	}
	dir := path.Join(root, own)
	ok := root != "" && unix.Access(dir, unix.W_OK) == nil
	return fact("cgroups", name, ok, dir+" is delegated to this user",
		"the cgroup of this user is not delegated: no limits, no pause (systemd-run --user --scope -p Delegate=yes)")
}
