package stats

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"berth/cgroups"
	"berth/cgroups/manager"
	"berth/tests/cgtest"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// role names what a re-executed test binary does.
const role = "BERTH_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "eat":
		eat(256 << 20)
	case "hold":
		hold()
	case "reserve":
		reserve()
	case "burn":
		for {
			serial++
		}
	}
}

// eat touches memory once its parent has moved it into a cgroup.
func eat(size int) {
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		panic(err)
	}
	cgtest.Eat(size)
}

// hold keeps 8 MiB until it is killed.
func hold() {
	eat(8 << 20)
	for {
		time.Sleep(time.Hour)
	}
}

// reserve takes a huge page of 2 MiB and does not touch it.
func reserve() {
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		panic(err)
	}
	if _, err := unix.Mmap(-1, 0, 2<<20, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB|unix.MAP_HUGE_2MB); err != nil {
		panic(err)
	}
	for {
		time.Sleep(time.Hour)
	}
}

var serial int

// cgroup makes a cgroup of the host's own kind and removes it after the test.
func cgroup(t *testing.T, r *specs.LinuxResources) cgroups.Manager {
	t.Helper()
	cgtest.Layout(t)
	m, err := manager.New(cgroups.Config{ID: cgtest.Name(), Resources: r})
	if err != nil {
		t.Skip(err)
	}
	cgtest.Start(t, m, r)
	return m
}

// helper starts the test binary in a role, in the cgroup, and lets it go.
func helper(t *testing.T, m cgroups.Manager, as string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"="+as)
	release := cgtest.Hold(t, cmd)
	if err := m.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	release()
	return cmd
}

func open(t *testing.T, rec cgroups.Record) *Reader {
	t.Helper()
	r, err := Open(rec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func read(t *testing.T, r *Reader) *Stats {
	t.Helper()
	s, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
