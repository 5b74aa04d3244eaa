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
		if err := m.create(g, root, &undo); err != nil {
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
func (m *Manager) create(g *group, root *cgfile.Dir, undo *[]made) error {
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
		return inheritCpuset(root, d, rel, cpusetFiles, true)
	})
	if err != nil {
		return err
	}
	if g.dir, err = root.Sub(g.rel); err != nil {
		return err
	}
	if !fresh && !m.adopted {
		if err := g.dir.RefuseUsed(); err != nil {
			return err
		}
	}
	if g.has("freezer") {
		if err := g.refuseFrozen(); err != nil {
			return err
		}
	}
	if isCpuset {
		return inheritCpuset(root, g.dir, g.rel, m.inheritedCpuset(), fresh)
	}
	return nil
}

// cpusetFiles are those without which no process can go into a cgroup (cpuset(7)).
var cpusetFiles = []string{"cpuset.cpus", "cpuset.mems"}

// inheritedCpuset are the files that Set will not fill.
func (m *Manager) inheritedCpuset() []string {
	r := m.cfg.Resources
	switch {
	case r == nil || r.CPU == nil || r.CPU.Cpus == "" && r.CPU.Mems == "":
		return cpusetFiles
	case r.CPU.Cpus == "":
		return cpusetFiles[:1]
	case r.CPU.Mems == "":
		return cpusetFiles[1:]
	}
	return nil
}

// inheritCpuset fills files of d, which is root/rel, from its parent. A fresh cgroup
// is empty; in others only what is empty is filled.
func inheritCpuset(root, d *cgfile.Dir, rel string, files []string, fresh bool) error {
	parent := root
	if up := path.Dir(rel); up != "." {
		var err error
		if parent, err = root.Sub(up); err != nil {
			return err
		}
		defer parent.Close()
	}
	for _, file := range files {
		if !fresh {
			v, err := d.Read(file)
			if err != nil {
				return err
			}
			if v != "" {
				continue
			}
		}
		v, err := parent.Read(file)
		if err == nil && v == "" && parent != root {
			if err = inheritCpuset(root, parent, path.Dir(rel), []string{file}, false); err == nil {
				v, err = parent.Read(file)
			}
		}
		if err != nil {
			return err
		}
		if err := d.Write(file, v); err != nil {
			return err
		}
	}
	return nil
}
