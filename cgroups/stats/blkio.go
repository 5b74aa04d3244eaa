package stats

import (
	"strconv"
	"strings"

	"berth/cgroups/cgfile"
)

// readBlkio reads v1's tables: those of the BFQ scheduler, or of CFQ before v5.0,
// or else what the throttling layer counts, whichever knows a device.
func readBlkio(d *cgfile.Dir, s *Stats) error {
	b := new(Blkio)
	for _, t := range []struct {
		files []string
		to    *[]BlkioEntry
	}{
		{[]string{"blkio.bfq.io_service_bytes_recursive", "blkio.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"}, &b.IOServiceBytes},
		{[]string{"blkio.bfq.io_serviced_recursive", "blkio.io_serviced_recursive", "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"}, &b.IOServiced},
		{[]string{"blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"}, &b.IOQueued},
		{[]string{"blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive"}, &b.IOServiceTime},
		{[]string{"blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"}, &b.IOWaitTime},
		{[]string{"blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"}, &b.IOMerged},
		{[]string{"blkio.bfq.time_recursive", "blkio.time_recursive"}, &b.IOTime},
		{[]string{"blkio.bfq.sectors_recursive", "blkio.sectors_recursive"}, &b.Sectors},
	} {
		for _, file := range t.files {
			var err error
			if *t.to, err = blkioTable(d, file); err != nil {
				return err
			}
			if len(*t.to) > 0 {
				break
			}
		}
	}
	s.Blkio = b
	return nil
}

// blkioTable reads lines "8:0 Read 4096" or "8:0 4096"; the sum below them is left
// out.
func blkioTable(d *cgfile.Dir, file string) ([]BlkioEntry, error) {
	t, ok, err := text(d, file)
	if !ok {
		return nil, err
	}
	var table []BlkioEntry
	for line := range strings.Lines(t) {
		w := strings.Fields(line)
		if len(w) == 0 || w[0] == "Total" {
			continue
		}
		major, minor, ok := device(w[0])
		if !ok || len(w) < 2 || len(w) > 3 {
			return nil, unexpected(d, file, line)
		}
		e := BlkioEntry{Major: major, Minor: minor}
		if len(w) == 3 {
			e.Op = w[1]
		}
		if e.Value, err = strconv.ParseUint(w[len(w)-1], 10, 64); err != nil {
			return nil, unexpected(d, file, line)
		}
		table = append(table, e)
	}
	return table, nil
}
