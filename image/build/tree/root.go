package tree

import (
	"fmt"
	"os"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"
)

// Owner is a user and a group by number.
type Owner struct{ UID, GID int }

// Root is a directory tree. It does not own its descriptor.
type Root struct {
	// FD is the directory that is "/" for all paths.
	FD int
	// Name is what the tree is called in errors: "context", "stage build".
	Name string
	// Ignore hides files: what .dockerignore says. nil hides nothing.
	Ignore *patternmatcher.PatternMatcher
	// Owner, if set, is whom all files appear to belong to: files of a build context
	// are root's, whoever runs the build.
	Owner *Owner
	// OneOwner gives all that is written to root, whatever owner is asked for: in a user
	// namespace with a single id there is no other.
	OneOwner bool
	// Inert is for a directory of the host that is written to: what would give rights to
	// whoever can reach it is left out of the copies, which are devices, the bits
	// setuid and setgid, and file capabilities.
	Inert bool
	// Confined says so when a path leads out of the tree, instead of taking it from
	// the tree's root: what a build context is for.
	Confined bool
}

// openReal opens a path that Resolve has returned: no component may be a link.
func (r *Root) openReal(path string, flags int) (int, error) {
	if path == "" {
		path = "."
	}
	fd, err := safepath.Open(r.FD, path, flags|unix.O_CLOEXEC, linux.ResolveInRoot|linux.ResolveNoSymlinks)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: r.shown(path), Err: err}
	}
	return fd, nil
}

// Open opens a regular file below the root, following links inside it. Anything else
// is not opened at all: an image can have devices of the host.
func (r *Root) Open(path string) (*os.File, error) {
	found, err := r.Resolve(path, true)
	if err != nil {
		return nil, err
	}
	at, err := r.openReal(found.Path, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	defer closeFD(at)
	fd, err := safepath.ReopenRegular(at, r.shown(path))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (r *Root) shown(path string) string {
	if r.Name == "" {
		return "/" + path
	}
	return r.Name + " /" + path
}

func statAt(dir int, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EINTR {
			return st, err
		}
	}
}

func isDir(st *unix.Stat_t) bool  { return st.Mode&unix.S_IFMT == unix.S_IFDIR }
func isFile(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }
func isLink(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFLNK }

func isDevice(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK
}

// close drops a descriptor that was only read from or is a directory.
func closeFD(fd int) {
	_ = syscall.Close(fd) // nothing was written through it
}

func readlinkAt(dir int, name string) (string, error) {
	s, err := linux.Readlinkat(dir, name)
	if err != nil {
		return "", fmt.Errorf("readlink %s: %w", name, err)
	}
	return s, nil
}
