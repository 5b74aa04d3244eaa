package state

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Entry is one container of a list.
type Entry struct {
	*State
	// Listening says that the init stage waits to be started.
	Listening bool
}

// List returns the containers by id. Directories that are no container, or not
// yet or no longer, are left out; what could not be read for another reason comes
// back as skipped. A root that does not exist is empty.
func (s Store) List() (entries []Entry, skipped []error, err error) {
	fd, err := openDir(unix.AT_FDCWD, s.Root, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", s.Root, err)
	}
	defer closeFD(fd)
	names, err := readNames(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", s.Root, err)
	}
	slices.Sort(names)
	for _, name := range names {
		st, err := loadAt(fd, name+"/"+StateFile)
		switch {
		case err == nil && st.ID == name:
			entries = append(entries, Entry{st, existsAt(fd, name+"/"+StartSocket)})
		case err == nil, errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, errDamaged):
		default:
			skipped = append(skipped, fmt.Errorf("state of %s: %w", name, err))
		}
	}
	return entries, skipped, nil
}

// Listening tells whether the init stage waits to be started.
func (d *Dir) Listening() bool { return existsAt(d.fd, StartSocket) }

func existsAt(dirfd int, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}
