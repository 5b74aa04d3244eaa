package libcontainer

import (
	"errors"
	"fmt"
	"reflect"

	"berth/cgroups"
	"berth/cgroups/stats"
	"berth/libcontainer/intelrdt"
	"berth/libcontainer/state"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// UpdateOptions are the flags of update.
type UpdateOptions struct {
	// Resources are the new limits. What is absent or zero stays as it is, for
	// engines send every field; -1 is no limit. Zero is a value only where nothing
	// else could say it: cpu.burst, cpu.idle, memory.swappiness, and in lists.
	Resources *specs.LinuxResources
	// Force writes a memory limit below what the container uses.
	Force bool
	// L3CacheSchema and MemBwSchema are lines for resctrl.
	L3CacheSchema, MemBwSchema string
}

// Update changes the limits of a container that runs, is paused, or waits to be
// started. When the kernel refuses one of them, those written before are put back.
//
// config.json in the container's directory stays what the container was created
// from: exec takes nothing of its resources. The kernel knows the limits in force,
// so the state file keeps only what cannot be read back, the rules for devices.
func (rt *Runtime) Update(id string, o UpdateOptions) error {
	c, err := rt.openLocked(id)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.updatable(); err != nil {
		return err
	}
	r := changes(o.Resources)
	rules, err := c.newDeviceRules(r)
	if err != nil {
		return err
	}
	if err := c.checkMemory(r, o.Force); err != nil {
		return err
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	undo, err := c.updateRdt(&o)
	if err != nil {
		return err
	}
	if err := m.Set(r); err != nil {
		return errors.Join(fmt.Errorf("update %s: %w", id, err), undo())
	}
	if rules == nil {
		return nil
	}
	c.state.Cgroup.DeviceRules = rules
	return c.dir.Save(c.state)
}

// updatable refuses containers whose limits cannot be changed.
func (c *opened) updatable() error {
	status, err := c.state.Status(c.dir.Listening(), nil)
	if err != nil {
		return err
	}
	if status == state.Stopped || status == state.Creating {
		return ErrNotRunning
	}
	if c.state.Cgroup.Driver == "disabled" {
		return fmt.Errorf("update %s: %w", c.state.ID, cgroups.ErrNoCgroup)
	}
	return nil
}

// updateRdt changes the shares of the container's resctrl group. undo takes that back.
func (c *opened) updateRdt(o *UpdateOptions) (undo func() error, err error) {
	flag := "l3-cache-schema"
	switch {
	case o.L3CacheSchema != "":
	case o.MemBwSchema != "":
		flag = "mem-bw-schema"
	default:
		return func() error { return nil }, nil
	}
	if c.state.IntelRdt == nil {
		if _, err := intelrdt.Find(); err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		return nil, fmt.Errorf("--%s: the container was created without linux.intelRdt", flag)
	}
	if undo, err = c.state.IntelRdt.Update(o.L3CacheSchema, o.MemBwSchema); err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return undo, nil
}

// changes copies the resources without what means "unchanged" but would be written.
func changes(r *specs.LinuxResources) *specs.LinuxResources {
	if r == nil {
		return &specs.LinuxResources{}
	}
	n := *r
	// To a new container 0 is a limit of no processes.
	if n.Pids != nil && (n.Pids.Limit == nil || *n.Pids.Limit == 0) {
		n.Pids = nil
	}
	if n.Memory != nil {
		m := *n.Memory
		n.Memory = &m
	}
	return &n
}

// newDeviceRules prepares an update of the rules: a list takes the place of the one
// before. It returns the list if it is a new one. One that is in force already is
// taken out of r, since engines that repeat all resources (CRI) must not undo what
// others, such as GPU hooks, have allowed behind the runtime's back.
func (c *opened) newDeviceRules(r *specs.LinuxResources) ([]specs.LinuxDeviceCgroup, error) {
	if len(r.Devices) == 0 {
		return nil, nil
	}
	raw, err := c.dir.LoadConfig()
	if err != nil {
		return nil, err
	}
	doc, err := specconv.Parse(state.ConfigFile, raw)
	if err != nil {
		return nil, err
	}
	now := c.state.Cgroup.DeviceRules
	if now == nil && doc.Linux != nil && doc.Linux.Resources != nil {
		now = doc.Linux.Resources.Devices
	}
	if reflect.DeepEqual(now, r.Devices) {
		r.Devices = nil
	}
	return r.Devices, nil
}

// checkMemory refuses to lower the limit below the usage: v1 would do so if it can
// reclaim enough, v2 would do so and kill.
func (c *opened) checkMemory(r *specs.LinuxResources, force bool) error {
	if r.Memory == nil || r.Memory.Limit == nil || *r.Memory.Limit <= 0 {
		return nil
	}
	if force {
		r.Memory.CheckBeforeUpdate = nil
		return nil
	}
	counters, err := stats.Open(c.state.Cgroup)
	if err != nil {
		return fmt.Errorf("memory of %s: %w", c.state.ID, err)
	}
	defer counters.Close()
	now, err := counters.MemoryUsage()
	if err != nil {
		return fmt.Errorf("memory of %s: %w", c.state.ID, err)
	}
	want := uint64(*r.Memory.Limit)
	if now == nil || want >= now.Limit || want >= now.Usage {
		return nil
	}
	return &MemoryInUseError{ID: c.state.ID, Limit: *r.Memory.Limit, Usage: now.Usage}
}

// MemoryInUseError refuses a memory limit that is below the usage.
type MemoryInUseError struct {
	ID    string
	Limit int64
	Usage uint64 // bytes, page cache included
}

func (e *MemoryInUseError) Error() string {
	return fmt.Sprintf("update %s: memory limit %d is below what the container uses: %d bytes", e.ID, e.Limit, e.Usage)
}

// Hint tells what else there is.
func (e *MemoryInUseError) Hint() string {
	return "with --force the kernel takes back what it can, page cache first; if that is not enough, cgroup v1 refuses and v2 kills"
}
