package fs2

import (
	"path"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// Manager owns a container's directory in the unified hierarchy.
type Manager struct {
	cfg   cgroups.Config
	mount string // empty when loaded
	rel   string // below mount
	path  string
	dir   *cgfile.Dir // nil: not open
	// none: a rootless caller could not make the directory and needs nothing of it.
	none bool
	// fresh is true from Create to the first Set: the cgroup holds defaults.
	fresh bool
}

var _ cgroups.Manager = (*Manager)(nil)

// New prepares the cgroup that cfg describes on a host with layout l. It makes
// nothing, and refuses resources that v2 or the host's controllers cannot apply.
func New(cfg cgroups.Config, l *cgroups.Layout) (*Manager, error) {
	m := &Manager{cfg: cfg, mount: l.Root}
	root, err := cgfile.Open(l.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if m.rel, err = place(cfg, root, l.Own); err != nil {
		return nil, err
	}
	m.path = path.Join(m.mount, m.rel)
	if err := refuse(cfg.Resources); err != nil {
		return nil, err
	}
	return m, m.lacks(root, "on this host")
}

// Load takes up the cgroup that a state file describes. It touches nothing.
func Load(rec cgroups.Record) *Manager {
	return &Manager{
		cfg:  cgroups.Config{Driver: rec.Driver, Rootless: rec.Rootless},
		path: rec.Paths[""], none: rec.Paths[""] == "",
	}
}

// Record returns what Load needs.
func (m *Manager) Record() cgroups.Record {
	rec := cgroups.Record{Driver: "cgroupfs", Rootless: m.cfg.Rootless, Paths: map[string]string{"": m.path}}
	if m.none {
		rec.Paths[""] = ""
	}
	return rec
}

// place finds the directory below the mount: an absolute path starts there. A
// relative one, and a rootless caller's default, starts at the parent of the
// caller's cgroup: the caller is a process in its own, and a cgroup with processes
// cannot give controllers to children (cgroups(7), no internal processes).
func place(cfg cgroups.Config, root *cgfile.Dir, own string) (string, error) {
	p := cfg.Path
	relative := p != "" && p[0] != '/'
	if p == "" {
		p, relative = cfg.ID, cfg.Rootless
	}
	rel, err := cgfile.Place(p)
	if err != nil || !relative {
		return rel, err
	}
	at, err := cgfile.OwnIn(root, own)
	if err != nil {
		return "", err
	}
	return path.Join(path.Dir(at), rel), nil
}

func (m *Manager) open() (*cgfile.Dir, error) {
	if m.none {
		return nil, cgroups.ErrNoCgroup
	}
	if m.dir == nil {
		d, err := cgfile.Open(m.path)
		if err != nil {
			return nil, err
		}
		m.dir = d
	}
	return m.dir, nil
}

// Close gives back the file descriptor the Manager keeps between its calls. It
// stays usable: what it needs is opened again.
func (m *Manager) Close() {
	m.dir.Close()
	m.dir = nil
}
