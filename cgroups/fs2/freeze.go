package fs2

import (
	"errors"
	"fmt"
	"time"

	"berth/cgroups"
	"berth/cgroups/cgfile"
)

// eventBound is how long processes may take to stop or to die.
const eventBound = 5 * time.Second

// Freeze stops or thaws every process; see cgroups.Manager.
func (m *Manager) Freeze(frozen bool) error {
	d, err := m.open()
	if err != nil {
		return err
	}
	value := "0"
	if frozen {
		value = "1"
	}
	if err := d.Write("cgroup.freeze", value); err != nil {
		return err
	}
	if !frozen {
		return nil // no process has to do anything to be thawed
	}
	done, err := d.Await("frozen", 1, eventBound)
	if err == nil && !done {
		err = fmt.Errorf("freeze %s: processes have not stopped after %v", m.path, eventBound)
	}
	if err != nil {
		return errors.Join(err, d.Write("cgroup.freeze", "0"))
	}
	return nil
}

// Frozen tells whether the cgroup itself is frozen; a removed one is not.
func (m *Manager) Frozen() (bool, error) {
	if m.none {
		return false, nil
	}
	return FrozenAt(m.path)
}

// refuseFrozen asks whether d, or a cgroup above it, is frozen.
func refuseFrozen(d *cgfile.Dir) error {
	frozen, err := d.ReadKey("cgroup.events", "frozen") // since v5.2
	if err == nil && frozen != 0 {
		return &cgroups.FrozenError{Cgroup: d.Path}
	}
	return err
}

// FrozenAt is Frozen for the cgroup at dir.
func FrozenAt(dir string) (bool, error) {
	s, err := cgfile.ReadShort(dir, "cgroup.freeze")
	if cgfile.Gone(err) {
		return false, nil
	}
	return s == "1", err
}
