package tree

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links one path may lead through, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// Real is where a path leads below a root.
type Real struct {
	// Path has no link, no "." and no ".." in it and no slash in front; "" is the
	// root.
	Path string
	// Stat is what is there. Exists is false from the first component on that is
	// missing: the rest of Path is then as it was written.
	Stat   unix.Stat_t
	Exists bool
}

// ErrEscape says that a path leads out of a tree that confines.
var ErrEscape = errors.New("it leads out of the tree")

// Resolve finds where a path leads if the tree is all there is. The last component is
// followed if it is a link and follow is set. A Confined tree refuses ".." above its
// root, and what is not there because it would be outside.
func (r *Root) Resolve(name string, follow bool) (Real, error) {
	var st unix.Stat_t
	if err := unix.Fstat(r.FD, &st); err != nil {
		return Real{}, fmt.Errorf("stat %s: %w", r.shown(""), err)
	}
	if r.Confined && (name == ".." || strings.HasPrefix(path.Clean(strings.TrimLeft(name, "/")), "../")) {
		return Real{}, fmt.Errorf("%s: %w", name, ErrEscape)
	}
	at := Real{Stat: st, Exists: true}
	rest := parts(name)
	escaped := ""
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			if at.Path == "" {
				escaped = name
			}
			if err := r.up(&at); err != nil {
				return Real{}, err
			}
			continue
		}
		next, target, err := r.step(at, part)
		if err != nil {
			return Real{}, fmt.Errorf("resolve %s: %w", r.shown(strings.TrimPrefix(name, "/")), err)
		}
		if !isLink(&next.Stat) || !next.Exists || (len(rest) == 0 && !follow) {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return Real{}, &os.PathError{Op: "resolve", Path: r.shown(name), Err: syscall.ELOOP}
		}
		if path.IsAbs(target) {
			escaped = next.Path + " → " + target
			at = Real{Stat: st, Exists: true}
		}
		rest = append(parts(target), rest...)
	}
	if r.Confined && escaped != "" && !at.Exists {
		return Real{}, fmt.Errorf("%s: %s: %w", name, escaped, ErrEscape)
	}
	return at, nil
}

// up goes to the parent; above the root is the root.
func (r *Root) up(at *Real) error {
	if at.Path == "" {
		return nil
	}
	parent := path.Dir(at.Path)
	if parent == "." {
		parent = ""
	}
	var st unix.Stat_t
	fd, err := r.openReal(parent, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, syscall.ENOENT) {
		*at = Real{Path: parent}
		return nil
	}
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", r.shown(parent), err)
	}
	*at = Real{Path: parent, Stat: st, Exists: true}
	return nil
}

// step looks up one name in a directory. target is the text of a link.
func (r *Root) step(at Real, part string) (next Real, target string, err error) {
	next = Real{Path: path.Join(at.Path, part)}
	if !at.Exists {
		return next, "", nil
	}
	if !isDir(&at.Stat) {
		return next, "", syscall.ENOTDIR
	}
	dir, err := r.openReal(at.Path, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return next, "", err
	}
	defer closeFD(dir)
	next.Stat, err = statAt(dir, part)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return next, "", nil
	case err != nil:
		return next, "", err
	}
	next.Exists = true
	if isLink(&next.Stat) {
		target, err = readlinkAt(dir, part)
	}
	return next, target, err
}

// parts splits a path. "." and empty components say nothing.
func parts(name string) []string {
	var list []string
	for _, p := range strings.Split(name, "/") {
		if p != "" && p != "." {
			list = append(list, p)
		}
	}
	return list
}
