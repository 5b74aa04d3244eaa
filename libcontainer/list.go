package libcontainer

import "berth/libcontainer/state"

// List tells about every container below the root, by id.
func (rt *Runtime) List() ([]Info, error) {
	entries, skipped, err := rt.store().List(func(st *state.State) (bool, error) {
		return (&opened{rt: rt, state: st}).frozen()
	})
	if err != nil {
		return nil, err
	}
	for _, err := range skipped {
		rt.Log.Warn(err.Error())
	}
	names := new(owners)
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		infos = append(infos, newInfo(e.State, e.Status, names))
	}
	return infos, nil
}
