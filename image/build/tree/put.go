package tree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// put copies a selection to a name in a directory, whose path is at; "." is the
// directory itself.
func (w *writer) put(s *selected, dir int, at, name string) error {
	if isDir(&s.node.stat) {
		from, err := w.from.openReal(s.found.Path, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		defer closeFD(from)
		return w.putDir(from, s.node, dir, name, path.Join(at, name), false)
	}
	parent, err := w.from.openReal(dirOf(s.found.Path), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(parent)
	return w.putFile(parent, s.node, dir, name, path.Join(at, name))
}

func dirOf(p string) string {
	d := path.Dir(p)
	if d == "." {
		return ""
	}
	return d
}

func baseOf(p string) string {
	if p == "" {
		return "."
	}
	return path.Base(p)
}

// putDir copies a directory: made with the source's metadata if it is missing; an
// existing one gets it only below the top (overwrite).
func (w *writer) putDir(from int, n *node, dir int, name, at string, overwrite bool) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	created := false
	if name != "." {
		var err error
		if created, err = w.mkdir(dir, name); err != nil {
			return err
		}
	}
	to, err := openDirAt(dir, name)
	if err != nil {
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
			return fmt.Errorf("%s: a directory cannot be copied to what is not a directory", w.to.shown(at))
		}
		return err
	}
	defer closeFD(to)
	for _, child := range n.children {
		below := path.Join(at, child.name)
		if !isDir(&child.stat) {
			if err := w.putFile(from, child, to, child.name, below); err != nil {
				return err
			}
			continue
		}
		sub, err := openDirAt(from, child.name)
		if err != nil {
			return err
		}
		err = w.putDir(sub, child, to, child.name, below, true)
		closeFD(sub)
		if err != nil {
			return err
		}
	}
	if created || overwrite {
		if err := w.copyXattrs(from, to); err != nil {
			return fmt.Errorf("%s: %w", w.to.shown(at), err)
		}
		return w.metaOf(to, &n.stat)
	}
	return nil
}

// putFile copies what is not a directory, in place of what is there.
func (w *writer) putFile(from int, n *node, dir int, name, at string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.to.Inert && isDevice(&n.stat) {
		return nil
	}
	if err := clearTarget(dir, name); err != nil {
		return fmt.Errorf("%s: %w", w.to.shown(at), err)
	}
	key := inode{dev: n.stat.Dev, ino: n.stat.Ino}
	if n.stat.Nlink > 1 {
		if first, ok := w.links[key]; ok {
			return w.link(first, dir, name)
		}
		w.links[key] = at
	}
	var err error
	switch n.stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = w.putRegular(from, n, dir, name)
	case unix.S_IFLNK:
		err = w.putLink(from, n, dir, name)
	case unix.S_IFSOCK:
		err = errors.New("a socket cannot be copied")
	default:
		if err = unix.Mknodat(dir, name, n.stat.Mode&(unix.S_IFMT|0o7777), int(n.stat.Rdev)); err == nil {
			err = w.metaAt(dir, name, &n.stat)
		}
	}
	if err != nil {
		return fmt.Errorf("copy to %s: %w", w.to.shown(at), err)
	}
	return nil
}

// clearTarget removes a file that is to be replaced: it is never written through,
// it may be a link.
func clearTarget(dir int, name string) error {
	st, err := statAt(dir, name)
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if isDir(&st) {
		return errors.New("a directory cannot be replaced by a file")
	}
	return unix.Unlinkat(dir, name, 0)
}

func (w *writer) link(first string, dir int, name string) error {
	parent, err := w.to.openReal(dirOf(first), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(parent)
	if err := unix.Linkat(parent, path.Base(first), dir, name, 0); err != nil {
		return &os.LinkError{Op: "link", Old: first, New: name, Err: err}
	}
	return nil
}

func (w *writer) putRegular(from int, n *node, dir int, name string) error {
	fd, err := unix.Openat(from, n.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: n.name, Err: err}
	}
	in := os.NewFile(uintptr(fd), n.name)
	defer in.Close()
	out, err := createAt(dir, name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := w.finish(int(out.Fd()), fd, &n.stat); err != nil {
		return err
	}
	return out.Close()
}

// createAt makes a new file; one that is there already is an error.
func createAt(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (w *writer) putLink(from int, n *node, dir int, name string) error {
	text, err := readlinkAt(from, n.name)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(text, dir, name); err != nil {
		return &os.LinkError{Op: "symlink", Old: text, New: name, Err: err}
	}
	return w.metaAt(dir, name, &n.stat)
}
