package fs1

import (
	"path"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// made is one directory that Create made, to be undone.
type made struct {
	root *cgfile.Dir
	rel  string
}

// Create makes the directory in every hierarchy; see cgroups.Manager.
func (m *Manager) Create() (err error) {
	var undo []made
	var roots []*cgfile.Dir
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				// The first error is the one to report; a busy parent is in use by others.
				_ = undo[i].root.Rmdir(undo[i].rel)
			}
			m.Close()
		}
		for _, r := range roots {
			r.Close()
		}
	}()
	kept := make([]*group, 0, len(m.groups))
	for _, g := range m.groups {
		root, err := cgfile.OpenMount(g.mount)
		if err != nil {
			return err
		}
		roots = append(roots, root)
		if err := g.create(root, m.ownCpuset(), &undo); err != nil {
			if cgfile.Denied(err) && m.dispensable(g) {
				continue
			}
			return err
		}
		kept = append(kept, g)
	}
	m.groups = kept
	m.fresh = true
	return nil
}

// dispensable says that the container can do without the group: nothing is asked of it.
func (m *Manager) dispensable(g *group) bool {
	return g.has(cgroups.Unified) || m.cfg.Rootless && !g.asked(m.cfg.Resources)
}

// create makes one directory and its parents, and leaves it open.
func (g *group) create(root *cgfile.Dir, skip cpusetWants, undo *[]made) error {
	isCpuset := g.has("cpuset")
	fresh := false
	err := root.MkdirAll(g.rel, func(rel string) error {
		*undo = append(*undo, made{root, rel})
		fresh = rel == g.rel
		if !isCpuset || fresh {
			return nil
		}
		d, err := root.Sub(rel)
		if err != nil {
			return err
		}
		defer d.Close()
		return inheritCpuset(root, d, rel, cpusetWants{}, true)
	})
	if err != nil {
		return err
	}
	if g.dir, err = root.Sub(g.rel); err != nil {
		return err
	}
	if !fresh && !g.adopted {
		if err := g.dir.RefuseUsed(); err != nil {
			return err
		}
	}
	if isCpuset {
		return inheritCpuset(root, g.dir, g.rel, skip, fresh)
	}
	return nil
}

// cpusetWants says which of the two files Set will fill anyway.
type cpusetWants struct{ cpus, mems bool }

func (m *Manager) ownCpuset() cpusetWants {
	r := m.cfg.Resources
	if r == nil || r.CPU == nil {
		return cpusetWants{}
	}
	return cpusetWants{r.CPU.Cpus != "", r.CPU.Mems != ""}
}

// inheritCpuset fills cpuset.cpus and cpuset.mems of d, which is root/rel, from its
// parent: into a cgroup where one of them is empty no process can go (cpuset(7)). A
// fresh one is empty; in others only what is empty is filled.
func inheritCpuset(root, d *cgfile.Dir, rel string, skip cpusetWants, fresh bool) error {
	parent := root
	if up := path.Dir(rel); up != "." {
		var err error
		if parent, err = root.Sub(up); err != nil {
			return err
		}
		defer parent.Close()
	}
	for _, f := range []struct {
		name string
		skip bool
	}{{"cpuset.cpus", skip.cpus}, {"cpuset.mems", skip.mems}} {
		if f.skip {
			continue
		}
		if !fresh {
			if v, err := d.Read(f.name); err != nil || v != "" {
				if err != nil {
					return err
				}
				continue
			}
		}
		v, err := parent.Read(f.name)
		if err != nil {
			return err
		}
		if v == "" && parent != root {
			if err := inheritCpuset(root, parent, path.Dir(rel), cpusetWants{}, false); err != nil {
				return err
			}
			if v, err = parent.Read(f.name); err != nil {
				return err
			}
		}
		if err := d.Write(f.name, v); err != nil {
			return err
		}
	}
	return nil
}
