package libcontainer

import "berth/libcontainer/state"

// List tells about every container below the root, by id.
func (rt *Runtime) List() ([]Info, error) {
	entries, err := rt.entries()
	if err != nil {
		return nil, err
	}
	names := new(owners)
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		infos = append(infos, newInfo(e.State, e.Status, names))
	}
	return infos, nil
}

// entries warns of what cannot be read.
func (rt *Runtime) entries() ([]state.Entry, error) {
	entries, skipped, err := rt.store().List(rt.frozen)
	for _, err := range skipped {
		rt.Log.Warn(err.Error())
	}
	return entries, err
}
