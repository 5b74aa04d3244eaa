package manager

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"berth/cgroups"

	"golang.org/x/sys/unix"
)

// only2 runs a test for the v2 driver.
func only2(t *testing.T, run func(*testing.T, driver)) {
	t.Helper()
	ran := false
	for _, d := range drivers(t) {
		if d.name == "v2" {
			ran = true
			run(t, d)
		}
	}
	if !ran {
		t.Skip("no cgroup2 hierarchy here")
	}
}

// A cgroup that gives a controller to its children takes no process: whoever wants to
// join the container goes where one of its processes is.
func TestOpenJoinWith(t *testing.T) {
	only2(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{})
		own := m.Record().Paths[""]
		sub := filepath.Join(own, "a/sub")
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd, _ := shell(t, "true")
		if _, err := m.OpenJoinWith(cmd.Process.Pid); err == nil {
			t.Error("opened the cgroup of a process outside")
		}
		if err := m.Add(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		if got := opened(t, m, cmd.Process.Pid); got != inode(t, own) {
			t.Errorf("a process in the cgroup itself: inode %d", got)
		}
		procs(t, sub, cmd.Process.Pid)
		if got := opened(t, m, cmd.Process.Pid); got != inode(t, sub) {
			t.Errorf("a process in a child: inode %d", got)
		}
		if !giveDomain(t, own) {
			t.Skip("no domain controller on cgroup2 here")
		}
		j, err := m.OpenJoin(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(j.Dir)
		if err := spawn(t, "true", j.Dir).Run(); !errors.Is(err, unix.EBUSY) {
			t.Errorf("into an inner node: %v", err)
		}
		if j, err = m.OpenJoinWith(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(j.Dir)
		if err := spawn(t, "true", j.Dir).Run(); err != nil {
			t.Error(err)
		}
	})
}

// giveDomain lets the children of a cgroup have a controller that is not threaded.
func giveDomain(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"memory", "io", "hugetlb", "rdma", "misc"} {
		if !strings.Contains(" "+strings.TrimSpace(string(text))+" ", " "+name+" ") {
			continue
		}
		if err := os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+name), 0); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

func procs(t *testing.T, dir string, pid int) {
	t.Helper()
	if err := os.WriteFile(dir+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
}

// The owner of a delegated cgroup gets the files the kernel lists, and no limit.
func TestOwner(t *testing.T) {
	only2(t, func(t *testing.T, d driver) {
		m := start(t, d, cgroups.Config{Owner: 4711})
		own := m.Record().Paths[""]
		for name, want := range map[string]uint32{
			"": 4711, "cgroup.procs": 4711, "cgroup.threads": 4711, "cgroup.subtree_control": 4711,
			"cgroup.max.depth": 0, "cgroup.freeze": 0, "..": 0,
		} {
			st := stat(t, filepath.Join(own, name))
			if st.Uid != want || st.Gid != 0 {
				t.Errorf("%q belongs to %d:%d, want %d:0", name, st.Uid, st.Gid, want)
			}
		}
	})
}

func opened(t *testing.T, m cgroups.Manager, pid int) uint64 {
	t.Helper()
	j, err := m.OpenJoinWith(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(j.Dir)
	var st unix.Stat_t
	if err := unix.Fstat(j.Dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func inode(t *testing.T, path string) uint64 { return stat(t, path).Ino }

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(path, err)
	}
	return &st
}
