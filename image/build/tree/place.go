package tree

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// writer creates files below one root.
type writer struct {
	ctx     context.Context
	to      *Root
	dest    string // as written, for the slash at its end
	chown   *Owner
	forced  *Owner // of the source tree
	chmod   Mode
	time    *time.Time
	unpack  bool
	parents bool
	from    *Root
	links   map[inode]string // of the source → path below the destination's root
}

type inode struct{ dev, ino uint64 }

func (c *Copy) writer(ctx context.Context) *writer {
	w := &writer{
		ctx: ctx, to: c.To, from: c.From, dest: c.Dest, chown: c.Chown, chmod: c.Chmod, time: c.Time,
		unpack: c.Unpack, parents: c.Parents, links: map[inode]string{},
	}
	if c.From != nil {
		w.forced = c.From.Owner
	}
	return w
}

// place copies one selection to where it belongs.
func (w *writer) place(s *selected) error {
	if w.unpack && isFile(&s.node.stat) {
		done, err := w.tryUnpack(s)
		if done || err != nil {
			return err
		}
	}
	if w.parents {
		return w.placeParents(s)
	}
	dir, at, name, err := w.target(&s.node.stat, s.base)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	return w.put(s, dir, at, name)
}

// target is the directory, opened and by path, and the name in it that a source
// becomes. The name is "." for a directory: its contents are copied.
func (w *writer) target(st *unix.Stat_t, base string) (dir int, path, name string, err error) {
	at, err := w.to.Resolve(w.dest, true)
	if err != nil {
		return -1, "", "", err
	}
	if isDir(st) {
		if at.Exists && !isDir(&at.Stat) {
			return -1, "", "", fmt.Errorf("%s: a directory cannot be copied to what is not a directory", w.to.shown(at.Path))
		}
		// The directory itself is not copied: one that is missing is made as any other.
		dir, err = w.mkdirAll(at.Path)
		return dir, at.Path, ".", err
	} else if strings.HasSuffix(w.dest, "/") || (at.Exists && isDir(&at.Stat)) {
		dir, err = w.mkdirAll(at.Path)
		return dir, at.Path, base, err
	}
	parent := dirOf(at.Path)
	dir, err = w.mkdirAll(parent)
	return dir, parent, baseOf(at.Path), err
}

// placeParents makes the directories of the source's path first, with their metadata.
func (w *writer) placeParents(s *selected) error {
	at, err := w.to.Resolve(w.dest, true)
	if err != nil {
		return err
	}
	dir, err := w.mkdirAll(at.Path)
	if err != nil {
		return err
	}
	defer func() { closeFD(dir) }()
	if s.base == "" {
		return w.put(s, dir, at.Path, ".")
	}
	from := s.pivot
	for _, part := range parts(s.parent) {
		from = path.Join(from, part)
		source, err := w.from.Resolve(from, true)
		if err != nil {
			return err
		}
		created, err := w.mkdir(dir, part)
		if err != nil {
			return err
		}
		sub, err := openDirAt(dir, part)
		if err != nil {
			return err
		}
		closeFD(dir)
		dir = sub
		if created {
			if err := w.metaOf(sub, &source.Stat); err != nil {
				return err
			}
		}
	}
	return w.put(s, dir, path.Join(at.Path, s.parent), s.base)
}
