package libcontainer

import (
	"berth/internal/cleanup"
	"berth/libcontainer/intelrdt"
)

// planRdt says in the state where the container's resctrl group will be.
func (c *container) planRdt() error {
	if c.cfg.IntelRdt == nil {
		return nil
	}
	root, err := intelrdt.Find()
	if err != nil {
		return err
	}
	c.state.IntelRdt = intelrdt.New(root, c.rdt())
	return nil
}

// makeRdt makes the group.
func (c *container) makeRdt(undo *cleanup.Stack) error {
	if c.state.IntelRdt == nil {
		return nil
	}
	remove, err := c.state.IntelRdt.Make(c.rdt())
	undo.Add(func() { c.rt.logError(remove()) })
	return err
}

func (c *container) rdt() *intelrdt.Config {
	r := c.cfg.IntelRdt
	return &intelrdt.Config{
		ID:            c.cfg.ID,
		ClosID:        r.ClosID,
		L3CacheSchema: r.L3CacheSchema,
		MemBwSchema:   r.MemBwSchema,
		Schemata:      r.Schemata,
		Monitoring:    r.EnableMonitoring,
	}
}
