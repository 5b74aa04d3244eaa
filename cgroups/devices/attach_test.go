package devices

import (
	"errors"
	"slices"
	"testing"

	"berth/tests/cgtest"

	"golang.org/x/sys/unix"
)

// unified opens a new cgroup of the v2 hierarchy.
func unified(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(cgtest.Unified(t), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	return fd
}

// ids lists the programs of a cgroup.
func ids(t *testing.T, cgroup int) []uint32 {
	t.Helper()
	programs, err := attached(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(programs)
	list := make([]uint32, len(programs))
	for i, p := range programs {
		list[i] = p.id
	}
	return list
}

// Whatever was attached meanwhile, by berth or by systemd, the programs are in the
// end those of before.
func TestPutBack(t *testing.T) {
	cgroup := unified(t)
	before, err := Replace(cgroup, nil)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	before.Close()
	add := func() {
		t.Helper()
		fd, err := loadUnlocked(Program(defaults[:]))
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll([]loaded{{fd: fd}})
		if err := attach(cgroup, fd, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ before, meanwhile int }{{0, 0}, {0, 1}, {1, 0}, {1, 2}} {
		for range c.before {
			add()
		}
		want := ids(t, cgroup)
		b, err := Replace(cgroup, []Rule{{'a', Any, Any, all, true}})
		if err != nil {
			t.Fatal(err)
		}
		now := ids(t, cgroup)
		if len(now) != 1 || slices.Contains(want, now[0]) {
			t.Errorf("%+v: %v in the place of %v", c, now, want)
		}
		for range c.meanwhile {
			add()
		}
		if err := b.PutBack(); err != nil {
			t.Error(err)
		}
		b.Close()
		if got := ids(t, cgroup); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", c, got, want)
		}
	}
}
