package stats

import (
	"errors"

	"berth/cgroups"
	"berth/cgroups/cgfile"

	"golang.org/x/sys/unix"
)

// Reader holds the open directories of a container's cgroups, so that a cgroup of
// the same name made later is never taken for it. It is used by one goroutine.
type Reader struct {
	v2 *cgfile.Dir // nil on v1
	v1 map[string]*cgfile.Dir
}

// Open opens the cgroups that a state file describes; those that are gone are left
// out. cgroups.ErrNoCgroup when there is none. The caller closes the Reader.
func Open(rec cgroups.Record) (*Reader, error) {
	r := &Reader{v1: make(map[string]*cgfile.Dir, len(rec.Paths))}
	opened := make(map[string]*cgfile.Dir, len(rec.Paths))
	for controller, p := range rec.Paths {
		if p == "" {
			continue
		}
		d := opened[p]
		if d == nil {
			var err error
			if d, err = cgfile.Open(p); gone(err) {
				continue
			} else if err != nil {
				r.Close()
				return nil, err
			}
			opened[p] = d
		}
		if controller == "" || controller == cgroups.Unified {
			r.v2 = d
		} else {
			r.v1[controller] = d
		}
	}
	if len(opened) == 0 {
		return nil, cgroups.ErrNoCgroup
	}
	return r, nil
}

// Close gives the directories back.
func (r *Reader) Close() {
	r.v2.Close()
	for _, d := range r.v1 {
		d.Close() // closing twice is fine
	}
}

// Read reads all counters. A controller, or a file of one, that the host does not
// have is left out; a cgroup that was removed is an error (ENODEV).
func (r *Reader) Read() (*Stats, error) {
	s := new(Stats)
	for i := range v1Readers {
		if d := r.v1[v1Readers[i].controller]; d != nil {
			if err := v1Readers[i].read(d, s); err != nil {
				return nil, err
			}
		}
	}
	if r.v2 != nil {
		if err := readV2(r.v2, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// gone says that err means a removed cgroup.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// absent says that a file is not there, or is switched off (EOPNOTSUPP: PSI without
// psi=1, or swap of a kernel without).
func absent(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP)
}

// MemoryUsage reads what counts against the memory limit, and the limit, in bytes;
// nil where memory is not counted. Failcnt and Max are left out.
func (r *Reader) MemoryUsage() (*MemoryEntry, error) {
	d, usage, limit := r.v1["memory"], "memory.usage_in_bytes", "memory.limit_in_bytes"
	if d == nil {
		d, usage, limit = r.v2, "memory.current", "memory.max"
	}
	if d == nil {
		return nil, nil
	}
	e := new(MemoryEntry)
	ok, err := numbers(d, field{usage, &e.Usage}, field{limit, &e.Limit})
	if !ok {
		return nil, err
	}
	return e, nil
}
