package libcontainer

// List tells about every container below the root, by id.
func (rt *Runtime) List() ([]Info, error) {
	entries, skipped, err := rt.store().List()
	if err != nil {
		return nil, err
	}
	for _, err := range skipped {
		rt.Log.Warn(err.Error())
	}
	names := new(owners)
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		c := opened{rt: rt, state: e.State}
		info, err := c.info(e.Listening, names)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}
