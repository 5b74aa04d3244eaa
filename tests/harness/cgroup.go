package harness

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Layout is how the host mounts its cgroups.
type Layout struct {
	// V1 maps each controller (or name=NAME) to its mount point.
	V1 map[string]string
	// V2 is the mount point of cgroup2; empty: none.
	V2 string
}

// Hybrid says that v1 hierarchies and cgroup2 are mounted side by side.
func (l Layout) Hybrid() bool { return l.V2 != "" && len(l.V1) > 0 }

// Unified says that the host has cgroup v2 only.
func (l Layout) Unified() bool { return l.V2 != "" && len(l.V1) == 0 }

// String names the layout in one word.
func (l Layout) String() string {
	switch {
	case l.Unified():
		return "v2"
	case l.Hybrid():
		return "hybrid"
	case len(l.V1) > 0:
		return "v1"
	}
	return "none"
}

// Has says that a controller can be used, on v1 or v2.
func (l Layout) Has(controller string) bool {
	if l.V1[controller] != "" {
		return true
	}
	return l.Unified() && l.hasIn("", controller)
}

// hasIn says that a cgroup that was delegated has the controller: on v1 there is one
// of the name in the controller's hierarchy.
func (l Layout) hasIn(cgroup, controller string) bool {
	if point := l.V1[controller]; point != "" {
		return unix.Access(filepath.Join(point, cgroup), unix.W_OK) == nil
	}
	if controller == "freezer" {
		// Every cgroup has a cgroup.freeze, since v5.2.
		return true
	}
	text, err := os.ReadFile(filepath.Join(l.V2, cgroup, "cgroup.controllers"))
	return err == nil && strings.Contains(" "+strings.TrimSpace(string(text))+" ", " "+controller+" ")
}

// Cgroups reads the layout of the host, once.
var Cgroups = sync.OnceValue(readLayout)

func readLayout() Layout {
	layout := Layout{V1: map[string]string{}}
	mounts, err := ReadMounts("/proc/self/mountinfo")
	if err != nil {
		return layout
	}
	for _, m := range mounts {
		switch m.Type {
		case "cgroup2":
			layout.V2 = m.Point
		case "cgroup":
			for option := range strings.SplitSeq(m.SuperOptions, ",") {
				if option != "rw" && option != "ro" && option != "none" && option != "xattr" {
					layout.V1[option] = m.Point
				}
			}
		}
	}
	return layout
}

// Points lists the mount points of all hierarchies, those hidden for a peer left out.
func (l Layout) Points() []string {
	seen := map[string]bool{}
	if l.V2 != "" && !hybridHidden {
		seen[l.V2] = true
	}
	for _, point := range l.V1 {
		seen[point] = true
	}
	points := make([]string, 0, len(seen))
	for point := range seen {
		points = append(points, point)
	}
	return points
}

// CgroupDir returns the directory of the cgroup a process is in: that of the
// controller on v1, the only one on v2.
func (x *Test) CgroupDir(pid int, controller string) string {
	x.Helper()
	layout := Cgroups()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		x.Fatalf("read the cgroups of %d: %v", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if layout.Unified() && parts[0] == "0" {
			return filepath.Join(layout.V2, parts[2])
		}
		if point := layout.V1[controller]; point != "" &&
			strings.Contains(","+parts[1]+",", ","+controller+",") {
			return filepath.Join(point, parts[2])
		}
	}
	x.Fatalf("process %d: no cgroup with controller %s", pid, controller)
	return ""
}

// CgroupFile reads a file of the cgroup a process is in; v1 and v2 are its name on
// either version. An empty name for the version at hand skips the test.
func (x *Test) CgroupFile(pid int, controller, v1, v2 string) string {
	x.Helper()
	name := v1
	if Cgroups().Unified() {
		name = v2
	}
	if name == "" {
		x.Skipf("no such file on cgroup %s", Cgroups())
	}
	path := filepath.Join(x.CgroupDir(pid, controller), name)
	text, err := os.ReadFile(path)
	if err != nil {
		x.Fatalf("%v", err)
	}
	return strings.TrimSpace(string(text))
}

// cgroupsOf walks all hierarchies for directories whose name contains id.
func cgroupsOf(id string) []string {
	var found []string
	for _, point := range Cgroups().Points() {
		// Directories vanish while others' containers end; that is no finding.
		_ = filepath.WalkDir(point, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return fs.SkipDir
			}
			if !entry.IsDir() {
				return nil
			}
			if strings.Contains(entry.Name(), id) {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}

// RemoveCgroup kills what is in a cgroup and below and removes it.
func RemoveCgroup(dir string) {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, d := range dirs {
		// A frozen process cannot die on v1.
		_ = os.WriteFile(filepath.Join(d, "freezer.state"), []byte("THAWED"), 0)
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		text, err := os.ReadFile(filepath.Join(dirs[i], "cgroup.procs"))
		if err == nil {
			for field := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
					killAndReap(pid)
				}
			}
		}
		_ = os.Remove(dirs[i])
	}
}
