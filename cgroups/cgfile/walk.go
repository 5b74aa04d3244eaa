package cgfile

import (
	"io/fs"
	"path"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// treeWalk visits a cgroup and all below it. It holds two fds at a time, however deep
// a hostile container nested its cgroups, and goes up by "..": only directories of
// one cgroup file system, which nobody can move to another parent, are on the way.
type treeWalk struct {
	enter func(*Dir) error                     // before the children; may be nil
	leave func(parent *Dir, name string) error // after them; may be nil
	root  *Dir
	cur   *Dir
	stack []level
}

// level is a directory on the way from the root to cur.
type level struct {
	name string   // in its parent
	todo []string // children not yet visited
}

func (d *Dir) walkTree(enter func(*Dir) error, leave func(parent *Dir, name string) error) error {
	w := treeWalk{enter: enter, leave: leave, root: d, cur: d}
	defer func() {
		if w.cur != d {
			w.cur.Close()
		}
	}()
	if err := w.visit(""); err != nil {
		return err
	}
	for len(w.stack) > 0 {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// visit enters the directory that the walk stands in.
func (w *treeWalk) visit(name string) error {
	if w.enter != nil {
		if err := w.enter(w.cur); err != nil {
			return err
		}
	}
	todo, err := w.cur.children()
	if err != nil && !Gone(err) {
		return err
	}
	w.stack = append(w.stack, level{name, todo})
	return nil
}

// next goes down to the next child, or up when there is none.
func (w *treeWalk) next() error {
	top := &w.stack[len(w.stack)-1]
	if len(top.todo) == 0 {
		return w.up()
	}
	name := top.todo[0]
	top.todo = top.todo[1:]
	err := w.step(name, path.Join(w.cur.Path, name))
	if Gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.visit(name)
}

func (w *treeWalk) up() error {
	name := w.stack[len(w.stack)-1].name
	if w.stack = w.stack[:len(w.stack)-1]; len(w.stack) == 0 {
		return nil
	}
	if err := w.step("..", path.Dir(w.cur.Path)); err != nil {
		return &fs.PathError{Op: "open parent of", Path: w.cur.Path, Err: err}
	}
	if w.leave == nil {
		return nil
	}
	return w.leave(w.cur, name)
}

func (w *treeWalk) step(to, found string) error {
	fd, err := linux.Openat(w.cur.fd, to, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if w.cur != w.root {
		w.cur.Close()
	}
	w.cur = &Dir{fd: fd, Path: found}
	return nil
}
