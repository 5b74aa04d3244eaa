package fs1

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// Manager owns a container's directories in all v1 hierarchies.
type Manager struct {
	cfg    cgroups.Config
	groups []*group
	// fresh is true from Create to the first Set: the cgroup holds defaults.
	fresh bool
	// adopted: the cgroup may be there already, with processes in it.
	adopted bool
}

// group is the container's cgroup in one hierarchy.
type group struct {
	controllers []string
	mount       string // where the hierarchy is mounted; empty when loaded
	rel         string // below mount
	path        string
	dir         *cgfile.Dir // nil: not open
}

var _ cgroups.Manager = (*Manager)(nil)

// New prepares the cgroup that cfg describes on a host with layout l. It makes
// nothing, and refuses resources that no mounted controller can apply.
func New(cfg cgroups.Config, l *cgroups.Layout) (*Manager, error) {
	m := &Manager{cfg: cfg}
	for i := range l.Hierarchies {
		h := &l.Hierarchies[i]
		g, err := place(cfg, l.Root, h)
		if err != nil {
			return nil, err
		}
		m.groups = append(m.groups, g)
	}
	if l.Unified != "" {
		// No limits are there, but systemd and others that look for a process by its
		// cgroup do it there; runc joins it as well.
		h := cgroups.Hierarchy{Name: path.Base(l.Unified), Controllers: []string{cgroups.Unified}, Own: l.Own}
		g, err := place(cfg, path.Dir(l.Unified), &h)
		if err != nil {
			return nil, err
		}
		m.groups = append(m.groups, g)
	}
	m.sort()
	if err := m.check(cfg.Resources); err != nil {
		return nil, err
	}
	return m, nil
}

// Load takes up the cgroup that a state file describes. It touches nothing.
func Load(rec cgroups.Record) *Manager {
	m := &Manager{cfg: cgroups.Config{Driver: rec.Driver, Rootless: rec.Rootless}}
	byPath := make(map[string]*group, len(rec.Paths))
	for name, p := range rec.Paths {
		if g := byPath[p]; g != nil {
			g.controllers = append(g.controllers, name)
			continue
		}
		g := &group{controllers: []string{name}, path: p}
		byPath[p] = g
		m.groups = append(m.groups, g)
	}
	m.sort()
	return m
}

// sort puts the hierarchies into the order they are joined in: memory late, so that
// little is charged to the container before it runs, and the freezer last: whoever
// enters a frozen one stops there.
func (m *Manager) sort() {
	rank := func(g *group) int {
		switch {
		case g.has("freezer"):
			return 2
		case g.has("memory"):
			return 1
		}
		return 0
	}
	slices.SortFunc(m.groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.path, b.path))
	})
}

// Record returns what Load needs.
func (m *Manager) Record() cgroups.Record {
	rec := cgroups.Record{Driver: "cgroupfs", Rootless: m.cfg.Rootless, Paths: make(map[string]string, len(m.groups))}
	for _, g := range m.groups {
		for _, c := range g.controllers {
			rec.Paths[c] = g.path
		}
	}
	return rec
}

// place finds the container's directory in one hierarchy: an absolute path starts
// at the mount, a relative one at the caller's own cgroup, no path is "/ID".
func place(cfg cgroups.Config, root string, h *cgroups.Hierarchy) (*group, error) {
	g := &group{controllers: h.Controllers, mount: path.Join(root, h.Name)}
	p := cfg.Path
	if p == "" {
		p = "/" + cfg.ID
	}
	rel, err := cgfile.Place(p)
	if err != nil {
		return nil, err
	}
	if p[0] != '/' {
		d, err := cgfile.Open(g.mount)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		own, err := cgfile.OwnIn(d, h.Own)
		if err != nil {
			return nil, err
		}
		rel = path.Join(own, rel)
	}
	g.rel = rel
	g.path = path.Join(g.mount, rel)
	return g, nil
}

// find returns the group of a controller, nil when it is not mounted.
func (m *Manager) find(controller string) *group {
	for _, g := range m.groups {
		if g.has(controller) {
			return g
		}
	}
	return nil
}

func (g *group) has(controller string) bool { return slices.Contains(g.controllers, controller) }

// open opens the directory, or returns the one that is open.
func (g *group) open() (*cgfile.Dir, error) {
	if g.dir == nil {
		d, err := cgfile.Open(g.path)
		if err != nil {
			return nil, err
		}
		g.dir = d
	}
	return g.dir, nil
}

// Close gives back the file descriptors the Manager keeps between its calls. It
// stays usable: what it needs is opened again.
func (m *Manager) Close() {
	for _, g := range m.groups {
		g.dir.Close()
		g.dir = nil
	}
}
