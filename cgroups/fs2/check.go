package fs2

import (
	"fmt"
	"slices"
	"strings"

	"berth/cgroups/cgfile"
	"berth/cgroups/limits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// needed names a field that needs any controller; "": none.
func needed(r *specs.LinuxResources) string {
	for _, f := range limits.Asked(r) {
		if f.V2 != limits.Core {
			return f.String()
		}
	}
	return ""
}

// lacks names a controller that the resources need and the cgroup d does not have.
func (m *Manager) lacks(d *cgfile.Dir, where string) error {
	text, err := d.Read("cgroup.controllers")
	if err != nil {
		return err
	}
	available := strings.Fields(text)
	for _, f := range limits.Asked(m.cfg.Resources) {
		if f.V2 != limits.Core && !slices.Contains(available, f.V2) {
			return fmt.Errorf("cgroup controller %q is not available %s: %s cannot be applied", f.V2, where, f)
		}
	}
	return nil
}

// refuse names what cgroup v2 has no counterpart for.
func refuse(r *specs.LinuxResources) error {
	for _, f := range limits.Asked(r) {
		if f.V2 == "" {
			return fmt.Errorf("%s cannot be applied: cgroup v2 has nothing like it", f)
		}
	}
	return nil
}
