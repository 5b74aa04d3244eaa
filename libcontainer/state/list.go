package state

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Entry is one container of a list.
type Entry struct {
	*State
	// Status is what it did when it was looked at.
	Status Status
}

// List returns the containers by id, with their status. Directories that are no
// container, or not yet or no longer, are left out; what could not be read for
// another reason comes back as skipped. A root that does not exist is empty.
// frozen is as in State.Status; it is called concurrently.
func (s Store) List(frozen func(*State) bool) (entries []Entry, skipped []error, err error) {
	fd, err := openDir(unix.AT_FDCWD, s.Root, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", s.Root, err)
	}
	defer closeFD(fd)
	names, err := readNames(fd, 32<<10)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", s.Root, err)
	}
	slices.Sort(names)
	all := lookAt(fd, names, frozen)
	for i, l := range all {
		switch {
		case l.err != nil:
			skipped = append(skipped, fmt.Errorf("state of %s: %w", names[i], l.err))
		case l.entry.State != nil:
			entries = append(entries, l.entry)
		}
	}
	return entries, skipped, nil
}

// listed is what became of a name: an entry, an error, or, empty, no container.
type listed struct {
	entry Entry
	err   error
}

// lookAt loads the containers on all CPUs: a container costs about 30 µs, half of
// them spent in the kernel, and there may be thousands.
func lookAt(dirfd int, names []string, frozen func(*State) bool) []listed {
	const worthwhile = 64 // fewer are done before another thread has woken up
	all := make([]listed, len(names))
	part := max(worthwhile, len(names)/runtime.GOMAXPROCS(0)+1)
	var wg sync.WaitGroup
	for from := 0; from < len(names); from += part {
		to := min(from+part, len(names))
		work := func() {
			var l loader
			for i := from; i < to; i++ {
				all[i] = l.lookAt(dirfd, names[i], frozen)
			}
		}
		if to == len(names) {
			work()
			break
		}
		wg.Go(work)
	}
	wg.Wait()
	return all
}

func (l *loader) lookAt(dirfd int, name string, frozen func(*State) bool) listed {
	st, err := l.load(dirfd, name+"/"+StateFile)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, errDamaged) {
		return listed{}
	}
	if err != nil {
		return listed{err: err}
	}
	if st.ID != name {
		return listed{}
	}
	status, err := st.Status(existsAt(dirfd, name+"/"+StartSocket), frozen)
	return listed{Entry{st, status}, err}
}

// Listening tells whether the init stage waits to be started.
func (d *Dir) Listening() bool { return existsAt(d.fd, StartSocket) }

func existsAt(dirfd int, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}
