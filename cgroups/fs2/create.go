package fs2

import (
	"errors"
	"slices"
	"strings"

	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// Create makes the directory and enables the controllers for it; see
// cgroups.Manager.
func (m *Manager) Create() error {
	root, err := cgfile.Open(m.mount)
	if err != nil {
		return err
	}
	defer root.Close()
	var made []string
	if err := m.create(root, &made); err != nil {
		m.Close()
		for i := len(made) - 1; i >= 0; i-- {
			// The first error is the one to report; a busy parent is in use by others.
			_ = root.Rmdir(made[i])
		}
		if m.cfg.Rootless && cgfile.Denied(err) && needed(m.cfg.Resources) == "" {
			m.none = true
			return nil
		}
		return err
	}
	m.fresh = true
	return nil
}

func (m *Manager) create(root *cgfile.Dir, made *[]string) error {
	fresh := false
	err := root.MkdirAll(m.rel, func(rel string) error {
		*made = append(*made, rel)
		fresh = rel == m.rel
		return nil
	})
	if err != nil {
		return err
	}
	if err := enableTo(root, m.rel); err != nil {
		return err
	}
	if m.dir, err = root.Sub(m.rel); err != nil {
		return err
	}
	if !fresh {
		if err := m.dir.RefuseUsed(); err != nil {
			return err
		}
	}
	if err := refuseFrozen(m.dir); err != nil {
		return err
	}
	if err := m.lacks(m.dir, "in "+m.path); err != nil {
		return err
	}
	return m.handOver(m.dir)
}

// enable turns on what is not on yet. What the kernel refuses stays off, and check
// says so if it is needed: a cgroup with processes takes none (EBUSY), and single
// controllers have reasons of their own (cpu with real-time processes).
func enable(d *cgfile.Dir) error {
	available, err := d.Read("cgroup.controllers")
	if err != nil {
		return err
	}
	on, err := d.Read("cgroup.subtree_control")
	if err != nil {
		return err
	}
	have := strings.Fields(on)
	var want []string
	for name := range strings.FieldsSeq(available) {
		if !slices.Contains(have, name) {
			want = append(want, "+"+name)
		}
	}
	if len(want) == 0 {
		return nil
	}
	err = d.Write("cgroup.subtree_control", strings.Join(want, " "))
	if err == nil || cgfile.Denied(err) || errors.Is(err, unix.EBUSY) {
		return nil
	}
	for _, name := range want {
		if err := d.Write("cgroup.subtree_control", name); errors.Is(err, unix.ENODEV) {
			return err // the cgroup was removed
		}
	}
	return nil
}
