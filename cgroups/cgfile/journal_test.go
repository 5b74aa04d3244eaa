package cgfile

import (
	"errors"
	"strings"
	"testing"
)

func TestRestore(t *testing.T) {
	for _, c := range []struct{ file, data, content, want string }{
		{"memory.limit_in_bytes", "4096", "9223372036854771712", "9223372036854771712"},
		{"memory.max", "4096", "max", "max"},
		{"cpu.max", "50000 100000", "max 100000", "max 100000"},
		{"cpu.max", "max 50000", "20000 100000", "20000 100000"},
		{"cpu.cfs_quota_us", "5000", "-1", "-1"},
		{"cpuset.cpus", "0", "0-1", "0-1"},
		{"cpuset.cpus", "0", "", "\n"},
		{"cpuset.cpus.partition", "root", "root invalid (no cpus)", "root"},
		{"cpuset.cpus.partition", "root", "member", "member"},
		{"memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 3", "0"},
		{"io.max", "8:0 rbps=1", "8:16 rbps=5 wbps=max riops=max wiops=max", "8:0 rbps=max wbps=max riops=max wiops=max"},
		{"io.max", "8:16 rbps=1", "8:0 rbps=2 wbps=max riops=max wiops=max\n8:16 rbps=5 wbps=max riops=max wiops=max", "8:16 rbps=5 wbps=max riops=max wiops=max"},
		{"io.weight", "default 200", "default 100\n8:0 50", "default 100"},
		{"io.weight", "8:0 200", "default 100\n8:0 50", "8:0 50"},
		{"io.weight", "8:16 200", "default 100\n8:0 50", "8:16 default"},
		{"io.bfq.weight", "200", "default 100", "default 100"},
		{"blkio.throttle.read_bps_device", "8:0 1000", "", "8:0 0"},
		{"blkio.throttle.read_bps_device", "8:0 1000", "8:0 77", "8:0 77"},
		{"rdma.max", "mlx5_0 hca_handle=2", "mlx5_0 hca_handle=max hca_object=max", "mlx5_0 hca_handle=max hca_object=max"},
		{"net_prio.ifpriomap", "eth0 5", "lo 0\neth0 1", "eth0 1"},
	} {
		if got := restore(c.file, c.data, c.content); got != c.want {
			t.Errorf("%s after %q over %q: %q, want %q", c.file, c.data, c.content, got, c.want)
		}
	}
}

func TestUndoOrder(t *testing.T) {
	var order []string
	try := func(result error) error {
		order = nil
		return Attempt(func(j *Journal) error {
			j.After(func() { order = append(order, "end") })
			for _, s := range []string{"a", "b", "c"} {
				j.Add(func() error {
					order = append(order, s)
					if s == "b" {
						return errors.New("no")
					}
					return nil
				})
			}
			return result
		})
	}
	err := try(errors.New("refused"))
	if got := strings.Join(order, " "); got != "c b a end" || err == nil || err.Error() != "refused\nput back: no" {
		t.Errorf("%s, %v", got, err)
	}
	err = try(nil)
	if got := strings.Join(order, " "); got != "end" || err != nil {
		t.Errorf("without an error: %s, %v", got, err)
	}
}
