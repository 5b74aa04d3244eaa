package fs1

import (
	"fmt"
	"time"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

const (
	// freezeBound is how long a freeze may take before it is taken back.
	freezeBound = 5 * time.Second
	// unstickAfter is how long FREEZING may last before a thaw and a new try: a
	// process that forks while it is being frozen can leave the state stuck.
	unstickAfter = 50 * time.Millisecond
)

// Freeze stops or thaws every process; see cgroups.Manager.
func (m *Manager) Freeze(frozen bool) error {
	g, err := m.freezer()
	if err != nil {
		return err
	}
	d, err := g.open()
	if err != nil {
		return err
	}
	return setFrozen(d, frozen, freezeBound)
}

// setFrozen freezes within bound, or thaws and returns an error.
func setFrozen(d *cgfile.Dir, frozen bool, bound time.Duration) error {
	if !frozen {
		return d.Write("freezer.state", "THAWED")
	}
	end := time.Now().Add(bound)
	for time.Now().Before(end) {
		if err := d.Write("freezer.state", "FROZEN"); err != nil {
			return err
		}
		wait := 50 * time.Microsecond
		for retry := time.Now().Add(unstickAfter); time.Now().Before(retry); wait *= 2 {
			// Reading makes the kernel look again whether all have stopped.
			s, err := d.Read("freezer.state")
			if err != nil {
				return err
			}
			if s == "FROZEN" {
				return nil
			}
			time.Sleep(wait)
		}
		if err := d.Write("freezer.state", "THAWED"); err != nil {
			return err
		}
	}
	return fmt.Errorf("freeze %s: processes have not stopped after %v", d.Path, bound)
}

// Frozen tells whether the cgroup is frozen; a removed one is not.
func (m *Manager) Frozen() (bool, error) {
	g := m.find("freezer")
	if g == nil {
		return false, nil
	}
	return FrozenAt(g.path)
}

// refuseFrozen asks the freezer's group whether it, or one above it, is frozen.
func (g *group) refuseFrozen() error {
	frozen, err := FrozenAt(g.path)
	if err == nil && frozen {
		return &cgroups.FrozenError{Cgroup: g.path}
	}
	return err
}

// FrozenAt is Frozen for the cgroup at dir in the freezer's hierarchy.
func FrozenAt(dir string) (bool, error) {
	end := time.Now().Add(unstickAfter)
	for wait := 50 * time.Microsecond; ; wait *= 2 {
		s, err := cgfile.ReadShort(dir, "freezer.state")
		if err != nil {
			if cgfile.Gone(err) {
				return false, nil
			}
			return false, err
		}
		// FREEZING is on its way to FROZEN, if somebody is at it.
		if s != "FREEZING" || time.Now().After(end) {
			return s != "THAWED", nil
		}
		time.Sleep(wait)
	}
}

func (m *Manager) freezer() (*group, error) {
	if g := m.find("freezer"); g != nil {
		return g, nil
	}
	if len(m.groups) == 0 {
		return nil, cgroups.ErrNoCgroup
	}
	return nil, fmt.Errorf(`cgroup controller "freezer" is not mounted: %w`, cgroups.ErrNoCgroup)
}
