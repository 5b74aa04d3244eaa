package devices

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// Replace makes the rules those of the v2 cgroup whose directory is open as fd, and
// keeps what it has. Where the kernel can (since v5.6) the old program is replaced in
// one step; else the new one is added before the old ones go, and a device must then
// pass both for a moment.
func Replace(cgroup int, rules []Rule) (*Before, error) {
	prog, err := loadUnlocked(Program(rules))
	if err != nil {
		return nil, fmt.Errorf("load device program: %w", err)
	}
	defer closeAll([]loaded{{fd: prog}})
	old, err := attached(cgroup)
	if err != nil {
		return nil, fmt.Errorf("query device programs: %w", err)
	}
	in := []loaded{{fd: prog}}
	if err := exchange(cgroup, in, old); err != nil {
		closeAll(old)
		// The new one may be attached beside the old ones.
		return nil, errors.Join(err, exchange(cgroup, nil, in))
	}
	return &Before{cgroup, old}, nil
}

// Before holds the programs that a cgroup had. Its owner closes it.
type Before struct {
	cgroup int // the fd is the caller's
	old    []loaded
}

// PutBack makes the programs those of the cgroup again, in the place of all that it
// has by now.
func (b *Before) PutBack() error {
	now, err := attached(b.cgroup)
	if err != nil {
		return fmt.Errorf("query device programs: %w", err)
	}
	defer closeAll(now)
	return exchange(b.cgroup, without(b.old, now), without(now, b.old))
}

// Close lets the programs go.
func (b *Before) Close() {
	closeAll(b.old)
	b.old = nil
}

// without returns those of list that are not among others.
func without(list, others []loaded) []loaded {
	var rest []loaded
	for _, p := range list {
		if !slices.ContainsFunc(others, func(o loaded) bool { return o.id == p.id }) {
			rest = append(rest, p)
		}
	}
	return rest
}

// exchange attaches programs and then detaches others.
func exchange(cgroup int, in, out []loaded) error {
	if len(in) == 1 && len(out) == 1 {
		err := attach(cgroup, in[0].fd, out[0].fd)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("replace device program: %w", err)
		}
	}
	for _, p := range in {
		if err := attach(cgroup, p.fd, 0); err != nil {
			return fmt.Errorf("attach device program: %w", err)
		}
	}
	for _, p := range out {
		if err := detach(cgroup, p.fd); err != nil && !errors.Is(err, unix.ENOENT) {
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
		closeAll([]loaded{{fd: fd}})
		return -1, fmt.Errorf("restore RLIMIT_MEMLOCK: %w", rerr)
	}
	return fd, err
}

func closeAll(programs []loaded) {
	for _, p := range programs {
		_ = unix.Close(p.fd) // a program's fd has nothing to flush
	}
}
