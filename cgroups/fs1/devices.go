package fs1

import (
	"fmt"

	"berth/cgroups/cgfile"
	"berth/cgroups/devices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// setDevices writes the rules: always for a fresh cgroup, later only when r has some,
// noting in j what was.
func (m *Manager) setDevices(r *specs.LinuxResources, j *cgfile.Journal) error {
	g := m.find("devices")
	if g == nil || !m.fresh && (r == nil || len(r.Devices) == 0) {
		return nil
	}
	rules, err := devices.Of(r)
	if err != nil {
		return err
	}
	want, lines, err := devices.Resolve(rules)
	if err != nil {
		return err
	}
	d, err := g.open()
	if err != nil {
		return err
	}
	if !m.fresh {
		before, known, err := present(d)
		if err != nil {
			return err
		}
		// Only what differs is written, so that no process loses a device for a moment,
		// and because a cgroup with children cannot be reset by "a". Where the present
		// exceptions cannot be known all has to be.
		if known && before.Allow == want.Allow {
			lines = devices.Change(before, want)
		}
		j.Add(func() error { return putBack(d, before, known) })
	}
	err = writeDevices(d, lines)
	// The kernel lets only the host's root change device rules.
	if m.cfg.Rootless && cgfile.Denied(err) {
		return nil
	}
	return err
}

// present reads the state of a cgroup in use; see devices.ParseList.
func present(d *cgfile.Dir) (devices.State, bool, error) {
	text, err := d.Read("devices.list")
	if err != nil {
		return devices.State{}, false, err
	}
	return devices.ParseList(text)
}

// putBack returns to the rules before. Where these allowed everything but
// exceptions that the kernel does not tell, it leaves what there is: less is
// allowed now, and "everything" could be too much.
func putBack(d *cgfile.Dir, before devices.State, known bool) error {
	if !known {
		return fmt.Errorf("device rules of %s: the kernel does not tell what they were", d.Path)
	}
	now, nowKnown, err := present(d)
	if err != nil {
		return err
	}
	if nowKnown && now.Allow == before.Allow {
		return writeDevices(d, devices.Change(now, before))
	}
	lines := []devices.Line{{Allow: false, Text: "a"}}
	for _, r := range before.Except {
		lines = append(lines, devices.Line{Allow: true, Text: r.String()})
	}
	return writeDevices(d, lines)
}

// writeDevices writes the lines in order, each run of the same kind through one fd.
func writeDevices(d *cgfile.Dir, lines []devices.Line) error {
	run := make([]string, 0, len(lines))
	for i := 0; i < len(lines); {
		allow := lines[i].Allow
		run = run[:0]
		for ; i < len(lines) && lines[i].Allow == allow; i++ {
			run = append(run, lines[i].Text)
		}
		file := "devices.deny"
		if allow {
			file = "devices.allow"
		}
		if err := d.WriteLines(file, run); err != nil {
			return err
		}
	}
	return nil
}
