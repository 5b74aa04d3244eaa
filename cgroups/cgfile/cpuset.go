package cgfile

// WriteCpuset writes the lists that are not empty.
func (d *Dir) WriteCpuset(cpus, mems string) error {
	if cpus != "" {
		if err := d.Write("cpuset.cpus", cpus); err != nil {
			return err
		}
	}
	if mems != "" {
		return d.Write("cpuset.mems", mems)
	}
	return nil
}
