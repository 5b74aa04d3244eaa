package stats

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"berth/cgroups/cgfile"
)

// fuzzed are the control files whose content has a grammar.
var fuzzed = []string{
	"memory.stat", "memory.events", "memory.current", "memory.max", "memory.pressure", "memory.numa_stat", "memory.oom_control",
	"cpu.stat", "cpu.pressure", "cpuacct.stat", "cpuacct.usage_all", "cpuacct.usage_percpu",
	"cpuset.cpus", "cpuset.mems", "cpuset.cpus.effective", "cpuset.mems.effective",
	"io.stat", "io.pressure", "blkio.throttle.io_service_bytes", "blkio.bfq.io_serviced_recursive",
	"pids.current", "pids.max", "rdma.current", "rdma.max", "hugetlb.2MB.events",
}

// FuzzFiles gives any content to one control file: it is understood or refused, and
// what was understood can be printed.
func FuzzFiles(f *testing.F) {
	for i, text := range []string{
		"anon 4096\nfile 0\n", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n", "4096", "max",
		"some avg10=0.00 avg60=1.25 avg300=0.31 total=57\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		"total=8 N0=8\nfile=8 N0=8\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
		"usage_usec 10\nnr_periods 0\n", "some avg10=NaN\n", "user 1\nsystem 2\n", "cpu user system\n0 5 6\n", "1 2 \n",
		"0-1,5", "0", "0-3", "0", "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16\n(unknown) rbytes=1\n",
		"full avg10=1 total=2\n", "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n", "8:0 4096\n", "5", "max",
		"mlx5_0 hca_handle=2 hca_object=max\n", "mlx5_0 hca_handle=2 hca_object=2000\n", "max 7\n",
	} {
		f.Add(uint(i), text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which uint, text string) {
		if len(text) > 1024 {
			return
		}
		file := filepath.Join(dir, fuzzed[which%uint(len(fuzzed))])
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Remove(file) }() // in the temporary directory of the test
		d, err := cgfile.OpenMount(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		v1 := make(map[string]*cgfile.Dir)
		for i := range v1Readers {
			v1[v1Readers[i].controller] = d
		}
		for _, r := range []*Reader{{v1: v1}, {v2: d}, {v1: v1, v2: d}} {
			s, err := r.Read()
			if err != nil {
				continue
			}
			if _, err := json.Marshal(s); err != nil {
				t.Errorf("%s %q: %v", file, text, err)
			}
		}
	})
}
