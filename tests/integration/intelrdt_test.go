package integration

import (
	"os"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Without resctrl the section is refused, and nothing is made.
func TestIntelRdtRefused(t *testing.T) {
	x := New(t, Berth, Kernel("a host without resctrl", func() bool {
		_, err := os.Stat("/sys/fs/resctrl/schemata")
		return err != nil
	}))
	for _, rdt := range []*specs.LinuxIntelRdt{
		{}, {ClosID: "gold"}, {L3CacheSchema: "L3:0=f"}, {MemBwSchema: "MB:0=20"}, {Schemata: []string{"L3:0=f"}}, {EnableMonitoring: true},
	} {
		b := x.Bundle(func(s *specs.Spec) { s.Linux.IntelRdt = rdt })
		x.Refused(x.Do("create", "--bundle", b.Dir, x.ID), 1, "linux.intelRdt: no resctrl file system is mounted on this host")
		x.NothingLeft()
	}
}
