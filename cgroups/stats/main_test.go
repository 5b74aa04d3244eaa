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
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
}

// hold keeps 8 MiB until it is killed.
func hold() {
	eat(8 << 20)
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
	if err := m.Add(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
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
