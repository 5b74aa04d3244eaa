package devices

import (
	"errors"
	"fmt"
	"math"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// Attach makes the rules those of the v2 cgroup whose directory is open as fd, in
// the place of what it has. Where the kernel can (since v5.6) the old program is
// replaced in one step; else the new one is added before the old ones go, and a
// device must then pass both for a moment.
func Attach(cgroup int, rules []Rule) error {
	prog, err := loadUnlocked(Program(rules))
	if err != nil {
		return fmt.Errorf("load device program: %w", err)
	}
	defer closeAll([]int{prog})
	old, err := attached(cgroup)
	if err != nil {
		return fmt.Errorf("query device programs: %w", err)
	}
	defer closeAll(old)
	if len(old) == 1 {
		err := attach(cgroup, prog, old[0])
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("replace device program: %w", err)
		}
	}
	if err := attach(cgroup, prog, 0); err != nil {
		return fmt.Errorf("attach device program: %w", err)
	}
	for _, fd := range old {
		if err := detach(cgroup, fd); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("detach old device program: %w", err)
		}
	}
	return nil
}

// loadUnlocked loads the program. Kernels before v5.11 charge it to RLIMIT_MEMLOCK
// and say EPERM when that is used up; the limit is put back, since the container
// inherits it.
func loadUnlocked(code []byte) (int, error) {
	fd, err := load(code)
	if !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	soft, hard, lerr := linux.GetPrlimit(0, unix.RLIMIT_MEMLOCK)
	if lerr != nil || soft == math.MaxUint64 {
		return fd, err
	}
	if linux.Prlimit(0, unix.RLIMIT_MEMLOCK, math.MaxUint64, math.MaxUint64) != nil {
		return fd, err
	}
	fd, err = load(code)
	if rerr := linux.Prlimit(0, unix.RLIMIT_MEMLOCK, soft, hard); err == nil && rerr != nil {
		closeAll([]int{fd})
		return -1, fmt.Errorf("restore RLIMIT_MEMLOCK: %w", rerr)
	}
	return fd, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // a program's fd has nothing to flush
	}
}
