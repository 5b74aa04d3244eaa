package fs1

import (
	"testing"
	"time"

	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// BenchmarkLifecycle is what a create and a delete pay, with the time of each step.
func BenchmarkLifecycle(b *testing.B) {
	layout(b)
	cfg := config()
	cfg.Resources = &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}},
		Memory:  &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(128 << 20))},
		CPU:     &specs.LinuxCPU{Shares: ptr(uint64(512)), Period: ptr(uint64(50000)), Quota: ptr(int64(25000)), Cpus: "0"},
		Pids:    &specs.LinuxPids{Limit: ptr(int64(77))},
	}
	var m *Manager
	steps := []struct {
		name string
		do   func() error
		sum  time.Duration
	}{
		{name: "new", do: func() (err error) {
			l, err := cgfile.Detect()
			if err == nil {
				m, err = New(cfg, l)
			}
			return err
		}},
		{name: "create", do: func() error { return m.Create() }},
		{name: "set", do: func() error { return m.Set(cfg.Resources) }},
		{name: "join", do: func() error {
			j, err := m.OpenJoin(nil)
			if err != nil {
				return err
			}
			for _, fd := range j.Tasks {
				if err := unix.Close(fd); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "destroy", do: func() error { return m.Destroy() }},
	}
	for b.Loop() {
		for i := range steps {
			begin := time.Now()
			if err := steps[i].do(); err != nil {
				b.Fatal(steps[i].name, err)
			}
			steps[i].sum += time.Since(begin)
		}
	}
	for i := range steps {
		b.ReportMetric(float64(steps[i].sum.Microseconds())/float64(b.N), steps[i].name+"-µs")
	}
}
