// Package cgtest is what the tests of the cgroup drivers start from: a cgroup with
// limits that is gone after the test.
package cgtest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"berth/cgroups"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var serial atomic.Int64

// Name is a name that no other cgroup has.
func Name() string { return fmt.Sprintf("berth-test-%d-%d", os.Getpid(), serial.Add(1)) }

// Start makes the manager's cgroup and sets its limits. After the test it is removed,
// with whoever is in it.
func Start(t testing.TB, m cgroups.Manager, r *specs.LinuxResources) {
	t.Helper()
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		if err := m.Destroy(); err != nil {
			t.Error(err)
		}
		for _, p := range m.Record().Paths {
			if _, err := os.Lstat(p); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", p, err)
			}
		}
	})
	if err := m.Set(r); err != nil {
		t.Fatal(err)
	}
}

// Until polls a condition.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// Ptr is for the optional fields of the specification.
func Ptr[T any](v T) *T { return &v }
