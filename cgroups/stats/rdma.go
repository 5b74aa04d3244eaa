package stats

import (
	"math"
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// readRdma is for both versions.
func readRdma(d *cgfile.Dir, s *Stats) error {
	current, ok, err := rdmaTable(d, "rdma.current")
	if !ok {
		return err
	}
	limit, _, err := rdmaTable(d, "rdma.max")
	if err != nil {
		return err
	}
	s.Rdma = &Rdma{Limit: limit, Current: current}
	return nil
}

// rdmaTable reads lines "mlx5_0 hca_handle=2 hca_object=max".
func rdmaTable(d *cgfile.Dir, file string) (table []RdmaEntry, ok bool, err error) {
	t, ok, err := text(d, file)
	if !ok {
		return nil, false, err
	}
	for line := range strings.Lines(t) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		e := RdmaEntry{Device: w[0]}
		for _, pair := range w[1:] {
			key, v, _ := strings.Cut(pair, "=")
			n := uint64(math.MaxUint32)
			if v != "max" {
				if n, err = strconv.ParseUint(v, 10, 32); err != nil {
					return nil, false, unexpected(d, file, line)
				}
			}
			switch key {
			case "hca_handle":
				e.HcaHandles = uint32(n)
			case "hca_object":
				e.HcaObjects = uint32(n)
			}
		}
		table = append(table, e)
	}
	return table, true, nil
}
