package layer

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// isWhiteout tells overlay's mark of a deleted name. In a Flat tree it is a device
// like others.
func (a *applier) isWhiteout(st *unix.Stat_t) bool {
	return a.opts.Format != Flat && isWhiteout(st)
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// whiteout does what an entry with a reserved name asks for. It concerns the layers
// below alone: what this layer has under the name stays (layer.md, "Whiteouts").
func (a *applier) whiteout(e *entry) error {
	switch {
	case underMeta(e.dir):
		return nil
	case e.base == whiteoutOpaque:
		return a.opaque(e.dir)
	case strings.HasPrefix(e.base, whiteoutMeta):
		return nil
	}
	name := e.base[len(whiteoutPrefix):]
	if name == "" || name == "." || name == ".." {
		return &safepath.Refusal{Object: quote(e.Name), Reason: "it is a whiteout of no name"}
	}
	if a.opts.Format == Flat {
		return a.removeLower(e.dir, name)
	}
	dir, err := a.folder(e.dir)
	if err != nil {
		return err
	}
	if err := a.queue.settle(place{dir.ino, name}); err != nil {
		return err
	}
	err = unix.Mknodat(dir.fd, name, unix.S_IFCHR, 0)
	if errors.Is(err, syscall.EEXIST) {
		return a.hideBelow(dir.fd, name, join(e.dir, name))
	}
	if err == nil {
		err = unix.UtimesNanoAt(dir.fd, name, a.current.both(), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return fmt.Errorf("make whiteout: %w", err)
	}
	in := e.dir
	if in == "" {
		in = "."
	}
	a.marked[in] = struct{}{}
	return nil
}

// hideBelow hides what the layers below have under the name of something of this
// layer. A file does so anyway; a directory would be merged with theirs.
func (a *applier) hideBelow(dir int, name, path string) error {
	fd, err := openSub(dir, name)
	if notDir(err) {
		return nil
	}
	if err != nil {
		return err
	}
	err = a.setOpaque(fd)
	_ = unix.Close(fd) // opened for reading
	delete(a.implied, path)
	return err
}

// opaque hides what the layers below have in a directory.
func (a *applier) opaque(path string) error {
	if a.opts.Format == Flat {
		return a.emptyLower(path)
	}
	if path == "" {
		// overlayfs merges the roots of all layers, whatever their attributes say.
		a.emptyRoot = true
		return nil
	}
	dir, err := a.folder(path)
	if err != nil {
		return err
	}
	return a.setOpaque(dir.fd)
}

var errOpaqueRoot = errors.New("the layer hides all that is below its root, and what that is was not said")

// hideRoot writes a whiteout for every name that the layers below have in their
// roots: the layer asked for an opaque root.
func (a *applier) hideRoot() error {
	if a.opts.Lower == nil {
		return errOpaqueRoot
	}
	lower, err := a.opts.Lower(a.ctx)
	if err != nil {
		return err
	}
	for _, l := range lower {
		names, err := listDir(int(l.Fd()))
		if err != nil {
			return fmt.Errorf("list %s: %w", l.Name(), err)
		}
		for _, name := range names {
			err := unix.Mknodat(a.root, name, unix.S_IFCHR, 0)
			if errors.Is(err, syscall.EEXIST) {
				err = a.hideBelow(a.root, name, name)
			}
			if err != nil {
				return fmt.Errorf("make whiteout of %s: %w", quote(name), err)
			}
		}
	}
	return nil
}

// removeLower removes from a Flat tree what the layers before have made.
func (a *applier) removeLower(dir, name string) error {
	if err := a.queue.drain(); err != nil {
		return err
	}
	path := join(dir, name)
	if _, own := a.mine[path]; own {
		return a.emptyLower(path)
	}
	fd, err := a.openDir(dir)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return nil // nothing to remove
	}
	if err != nil {
		return err
	}
	err = removeTree(fd, name)
	_ = unix.Close(fd) // opened for reading
	a.forget()
	return err
}

// emptyLower removes from a directory of a Flat tree what the layers before have
// made in it.
func (a *applier) emptyLower(path string) error {
	if err := a.queue.drain(); err != nil {
		return err
	}
	if _, done := a.emptied[path]; done {
		return nil
	}
	a.emptied[path] = struct{}{}
	fd, err := a.openDir(path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd) // opened for reading
	a.forget()
	return a.emptyTree(fd, path)
}

func (a *applier) emptyTree(fd int, path string) error {
	names, err := listDir(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		child := join(path, name)
		if _, own := a.mine[child]; !own {
			if err := removeTree(fd, name); err != nil {
				return err
			}
			continue
		}
		sub, err := openSub(fd, name)
		if notDir(err) {
			continue
		}
		if err != nil {
			return err
		}
		err = a.emptyTree(sub, child)
		_ = unix.Close(sub) // opened for reading
		if err != nil {
			return err
		}
	}
	return nil
}

func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}
