package state

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Names in a container's directory.
const (
	// StateFile holds the State.
	StateFile = "state.json"
	// ConfigFile is the config.json the container was created from.
	ConfigFile = "config.json"
	// ExitFile holds the Exit, once somebody knows it.
	ExitFile = "exit.json"
	// StartSocket is what the init stage listens on until the container is started;
	// whoever starts it removes the file first.
	StartSocket = "start.sock"
)

// Store is the directory that has one directory per container.
type Store struct {
	// Root is absolute.
	Root string
	// Sticky keeps the root from being cleaned away: the XDG base directory
	// specification lets files in XDG_RUNTIME_DIR without the sticky bit be removed
	// after six hours.
	Sticky bool
	// Unsynced leaves it to the kernel when files get to a disk, if Root is on one: after
	// a crash of the machine, not of a process, they may be torn.
	Unsynced bool
}

// CheckRoot refuses directories that cannot be a root.
func CheckRoot(root string) error {
	switch {
	case root == "":
		return errors.New("root directory is empty")
	case root[0] != '/':
		return fmt.Errorf("root directory %s is not absolute", root)
	case strings.Trim(root, "/.") == "":
		return errors.New("root directory cannot be /")
	}
	return nil
}

// Create makes the directory of a new container and locks it. ErrExist when the
// id is taken. The caller closes the Dir, after Remove when it fails later on.
func (s Store) Create(id string) (*Dir, error) {
	if err := checkName(id); err != nil {
		return nil, err
	}
	rootFD, err := s.makeRoot()
	if err != nil {
		return nil, err
	}
	// A delete --force may take the lock between mkdir and flock and remove the
	// directory; then it is made again.
	for {
		err := unix.Mkdirat(rootFD, id, 0o711)
		if err != nil {
			closeFD(rootFD)
			if errors.Is(err, unix.EEXIST) {
				return nil, ErrExist
			}
			return nil, fmt.Errorf("make %s/%s: %w", s.Root, id, err)
		}
		d, err := s.open(rootFD, id)
		if errors.Is(err, ErrNotExist) {
			continue
		}
		if err != nil {
			closeFD(rootFD)
			return nil, err
		}
		err = d.Lock()
		if err == nil {
			return d, nil
		}
		d.fd, d.rootFD = closeFD(d.fd), -1
		if !errors.Is(err, ErrNotExist) {
			closeFD(rootFD)
			return nil, err
		}
	}
}

// Open returns the directory of a container, unlocked. ErrNotExist when there is none.
func (s Store) Open(id string) (*Dir, error) {
	if err := checkName(id); err != nil {
		return nil, err
	}
	rootFD, err := openDir(unix.AT_FDCWD, s.Root, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Root, err)
	}
	d, err := s.open(rootFD, id)
	if err != nil {
		closeFD(rootFD)
		return nil, err
	}
	return d, nil
}

// open takes over rootFD when it succeeds.
func (s Store) open(rootFD int, id string) (*Dir, error) {
	fd, err := openDir(rootFD, id, unix.O_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, ErrNotExist
	case err != nil:
		return nil, fmt.Errorf("open %s/%s: %w", s.Root, id, err)
	}
	return &Dir{ID: id, Path: s.Root + "/" + id, fd: fd, rootFD: rootFD, unsynced: s.Unsynced}, nil
}

// makeRoot returns an open root directory. Others may pass through it (0711), so
// that a container's user can reach what a hook puts into its directory.
func (s Store) makeRoot() (int, error) {
	fd, err := openDir(unix.AT_FDCWD, s.Root, 0)
	if err == nil {
		return fd, nil
	}
	if err := CheckRoot(s.Root); err != nil {
		return -1, err
	}
	if err := os.MkdirAll(s.Root, 0o711); err != nil {
		var p *os.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return -1, fmt.Errorf("make root directory %s: %w", s.Root, err)
	}
	if s.Sticky {
		if err := os.Chmod(s.Root, os.ModeSticky|0o700); err != nil {
			return -1, err
		}
	}
	if fd, err = openDir(unix.AT_FDCWD, s.Root, 0); err != nil {
		return -1, fmt.Errorf("open %s: %w", s.Root, err)
	}
	return fd, nil
}

// checkName keeps an id from leaving the root, and from what berth itself keeps there
// (libcontainer/anteroom). What else an id may not hold is
// decided when a container is created.
func checkName(id string) error {
	if id == "" || id == "." || id == ".." || id[0] == '@' || strings.ContainsAny(id, "/\x00") {
		return fmt.Errorf("%w %q", ErrInvalidID, id)
	}
	return nil
}
