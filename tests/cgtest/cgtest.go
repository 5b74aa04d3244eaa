// Package cgtest is what the tests of the cgroup drivers start from: a cgroup with
// limits that is gone after the test.
package cgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var serial atomic.Int64

// Name is a name that no other cgroup has.
func Name() string { return fmt.Sprintf("berth-test-%d-%d", os.Getpid(), serial.Add(1)) }

// Layout is that of the host's cgroups, for tests that make some.
func Layout(t testing.TB) *cgroups.Layout {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	l, err := cgfile.Detect()
	if err != nil {
		t.Skip(err)
	}
	return l
}

// Unified makes a cgroup of the v2 hierarchy, which hybrid hosts have, too, though
// without controllers.
func Unified(t testing.TB) (dir string) {
	t.Helper()
	l := Layout(t)
	root := l.Unified
	if l.V2 {
		root = l.Root
	}
	if root == "" {
		t.Skip("the host has no cgroup2")
	}
	dir = filepath.Join(root, Name())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

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

// Hold starts a command that waits for a line on its stdin before it goes on, which
// release writes. After the test it is killed.
func Hold(t testing.TB, cmd *exec.Cmd) (release func()) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead
		_ = cmd.Wait()         // or waited for
	})
	return func() {
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Error(err)
		}
	}
}

// Eat touches memory that no other thread has touched: a limit counts what is touched
// in the cgroup.
func Eat(size int) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for i := 0; i < size; i += 4096 {
		b[i] = 1
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
