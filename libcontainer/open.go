package libcontainer

import (
	"errors"
	"fmt"

	"berth/cgroups"
	"berth/cgroups/manager"
	"berth/libcontainer/configs"
	"berth/libcontainer/state"
)

// opened is a container that exists, as the verbs see it that take only its
// state file: they need no config and no init stage.
type opened struct {
	rt    *Runtime
	dir   *state.Dir
	state *state.State
	mgr   cgroups.Manager // set by manager
	// hooks are those of config.json for the process that has made the container; nil:
	// they are to be read.
	hooks *configs.Hooks
}

func (rt *Runtime) store() state.Store {
	return state.Store{Root: rt.Root, Sticky: rt.StickyRoot, Unsynced: rt.Unsynced}
}

// open loads a container without locking it. The caller closes it.
func (rt *Runtime) open(id string) (*opened, error) {
	return rt.load(id, (*state.Dir).Load)
}

// openLocked is open for a verb that changes the container; it waits for others
// that do.
func (rt *Runtime) openLocked(id string) (*opened, error) {
	return rt.load(id, func(d *state.Dir) (*state.State, error) {
		if err := d.Lock(); err != nil {
			return nil, err
		}
		return d.Load()
	})
}

func (rt *Runtime) load(id string, load func(*state.Dir) (*state.State, error)) (*opened, error) {
	dir, err := rt.store().Open(id)
	if err != nil {
		return nil, err
	}
	st, err := load(dir)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &opened{rt: rt, dir: dir, state: st}, nil
}

// close ends the lock, if there is one, and gives all file descriptors back.
func (c *opened) close() {
	c.closeCgroup()
	_ = c.dir.Close() // a directory has nothing to lose
}

func (c *opened) closeCgroup() {
	if m, ok := c.mgr.(interface{ Close() }); ok {
		m.Close()
	}
}

// manager returns the container's cgroup.
func (c *opened) manager() (cgroups.Manager, error) {
	if c.mgr != nil {
		return c.mgr, nil
	}
	m, err := manager.Load(c.state.Cgroup)
	if err != nil {
		return nil, fmt.Errorf("cgroup of %s: %w", c.state.ID, err)
	}
	c.mgr = m
	return m, nil
}

func (c *opened) status() (state.Status, error) {
	return c.state.Status(c.dir.Listening(), c.rt.frozen)
}

// withStatus adds the status to what open and openLocked return.
func withStatus(c *opened, err error) (*opened, state.Status, error) {
	if err != nil {
		return nil, "", err
	}
	status, err := c.status()
	if err != nil {
		c.close()
		return nil, "", err
	}
	return c, status, nil
}

// frozen takes a cgroup that cannot tell for one that is not frozen: a container
// whose cgroup an admin removed still has to be listed, killed and deleted.
func (rt *Runtime) frozen(s *state.State) bool {
	is, err := manager.Frozen(s.Cgroup)
	if err != nil {
		rt.Log.Debugf("freezer of %s: %v", s.ID, err)
	}
	return is
}
