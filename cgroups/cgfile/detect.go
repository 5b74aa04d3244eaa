package cgfile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"berth/cgroups"
	"berth/internal/linux"
	"berth/internal/readfile"

	"golang.org/x/sys/unix"
)

// Root is where hosts mount their cgroups.
const Root = "/sys/fs/cgroup"

func isCgroup(magic int64) bool {
	return magic == linux.CgroupSuperMagic || magic == linux.Cgroup2SuperMagic
}

func magic(p string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(p, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: p, Err: err}
	}
	return int64(st.Type), nil
}

// Detect finds the mounted hierarchies by a look at Root and at
// /proc/self/cgroup, never by parsing the mount table, whose length is the
// host's affair. It looks once per process; callers share the result and leave it
// as it is.
func Detect() (*cgroups.Layout, error) { return host() }

var host = sync.OnceValues(func() (*cgroups.Layout, error) { return detect(Root, "/proc/self/cgroup") })

func detect(root, self string) (*cgroups.Layout, error) {
	m, err := magic(root)
	if err != nil {
		return nil, err
	}
	own, err := readfile.Kernel(self)
	if err != nil {
		return nil, err
	}
	l := &cgroups.Layout{Root: root}
	if m == linux.Cgroup2SuperMagic {
		l.V2 = true
		l.Own = ownUnified(string(own))
		return l, nil
	}
	names, links, err := mountNames(root)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(own)) {
		h, ok := parseLine(line)
		if !ok {
			continue
		}
		if h.Controllers == nil {
			l.Own = h.Own
			continue
		}
		if h.Name = findMount(root, names, h.Controllers); h.Name == "" {
			continue
		}
		for link, target := range links {
			if target == h.Name {
				h.Links = append(h.Links, link)
			}
		}
		slices.Sort(h.Links)
		l.Hierarchies = append(l.Hierarchies, h)
	}
	slices.SortFunc(l.Hierarchies, func(a, b cgroups.Hierarchy) int { return strings.Compare(a.Name, b.Name) })
	if slices.Contains(names, "unified") {
		if m, err := magic(path.Join(root, "unified")); err == nil && m == linux.Cgroup2SuperMagic {
			l.Unified = path.Join(root, "unified")
		}
	}
	if len(l.Hierarchies) == 0 && l.Unified == "" {
		return nil, fmt.Errorf("no cgroup hierarchy is mounted below %s", root)
	}
	return l, nil
}

// parseLine splits "4:cpu,cpuacct:/path"; the cgroup2 line has no controllers.
func parseLine(line string) (cgroups.Hierarchy, bool) {
	_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
	if !ok {
		return cgroups.Hierarchy{}, false
	}
	list, own, ok := strings.Cut(rest, ":")
	if !ok {
		return cgroups.Hierarchy{}, false
	}
	h := cgroups.Hierarchy{Own: own}
	if list != "" {
		h.Controllers = strings.Split(list, ",")
	}
	return h, true
}

func ownUnified(text string) string {
	for line := range strings.Lines(text) {
		if h, ok := parseLine(line); ok && h.Controllers == nil {
			return h.Own
		}
	}
	return ""
}

// mountNames lists the directories of root and its links with their targets.
func mountNames(root string) (names []string, links map[string]string, err error) {
	fd, err := linux.Openat(unix.AT_FDCWD, root, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	d := &Dir{fd: fd, Path: root}
	defer d.Close()
	err = d.entries(func(name string, kind byte) {
		switch kind {
		case unix.DT_DIR:
			names = append(names, name)
		case unix.DT_LNK:
			target, err := linux.Readlinkat(fd, name)
			if err != nil {
				return // gone meanwhile
			}
			if links == nil {
				links = make(map[string]string, 4)
			}
			links[name] = path.Clean(target)
		}
	})
	return names, links, err
}

// findMount returns the directory that a hierarchy with these controllers is
// mounted on: one whose name is made of the same words, or of one of them.
func findMount(root string, names, controllers []string) string {
	best := ""
	for _, name := range names {
		if !covers(controllers, name) || len(name) <= len(best) {
			continue
		}
		if m, err := magic(path.Join(root, name)); err == nil && m == linux.CgroupSuperMagic {
			best = name
		}
	}
	return best
}

// covers says that every word of name is one of the controllers.
func covers(controllers []string, name string) bool {
	for word := range strings.SplitSeq(name, ",") {
		if !slices.Contains(controllers, word) && !slices.Contains(controllers, "name="+word) {
			return false
		}
	}
	return true
}

// OwnIn turns the caller's cgroup, as /proc/self/cgroup shows it, into a path
// relative to the hierarchy mounted at d: "." for its root. In a container that
// sees only a part of the hierarchy and has no cgroup namespace the path starts
// above the mount, and in one whose cgroup lies outside its namespace it starts
// with "/..": the part that is not visible is dropped.
func OwnIn(d *Dir, own string) (string, error) {
	rel := strings.Trim(path.Clean("/"+own), "/")
	for rel != "" {
		s, err := d.Sub(rel)
		if err == nil {
			s.Close()
			return rel, nil
		}
		if !errors.Is(err, unix.ENOENT) {
			return "", err
		}
		_, rel, _ = strings.Cut(rel, "/")
	}
	return ".", nil
}
