package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Stack puts the directory of one layer, in overlayfs format, on top of what this
// tree holds, in the same format: what overlayfs would show of both is what it shows
// of the result. below is what shows through from further down: only what is there
// gets a mark that hides it, for overlayfs lists marks that hide nothing as files.
// userXattr says that opaque directories are marked by user.overlay.
func (r *Root) Stack(ctx context.Context, layer, below *Root, userXattr bool) error {
	s := &stacker{below: below, writer: &writer{ctx: ctx, to: r, from: layer, links: map[inode]string{}}, opaque: "trusted.overlay.opaque"}
	if userXattr {
		s.opaque = "user.overlay.opaque"
	}
	from, err := layer.openReal("", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(from)
	to, err := r.openReal("", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(to)
	return s.dir(from, to, "", true)
}

type stacker struct {
	*writer
	below  *Root
	opaque string
}

// shows tells whether a path is there further down.
func (s *stacker) shows(at string) bool {
	found, err := s.below.Resolve(at, false)
	return err == nil && found.Exists && found.Path == at
}

// dir puts what is in one directory into the other, which then gets its metadata.
// through: what is further down shows in it.
func (s *stacker) dir(from, to int, at string, through bool) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	dup, err := openDirAt(from, ".")
	if err != nil {
		return err
	}
	names, err := listFD(dup)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.entry(from, to, name, path.Join(at, name), through); err != nil {
			return fmt.Errorf("/%s: %w", path.Join(at, name), err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	return s.finish(to, from, &st)
}

func (s *stacker) entry(from, to int, name, at string, through bool) error {
	st, err := statAt(from, name)
	if err != nil {
		return err
	}
	if !isDir(&st) {
		if err := removeTarget(to, name); err != nil {
			return err
		}
		if isWhiteout(&st) {
			if !through || !s.shows(at) {
				return nil
			}
			return unix.Mknodat(to, name, unix.S_IFCHR, 0)
		}
		return s.putFile(from, &node{name: name, stat: st}, to, name, at)
	}
	sub, err := openDirAt(from, name)
	if err != nil {
		return err
	}
	defer closeFD(sub)
	hides, err := s.clear(sub, to, name)
	if err != nil {
		return err
	}
	if _, err := s.mkdir(to, name); err != nil {
		return err
	}
	target, err := openDirAt(to, name)
	if err != nil {
		return err
	}
	defer closeFD(target)
	through = through && s.shows(at)
	if err := s.dir(sub, target, at, through && !hides && !s.isOpaque(target)); err != nil {
		return err
	}
	if hides && through {
		return unix.Fsetxattr(target, s.opaque, []byte("y"), 0)
	}
	return nil
}

// clear makes room for a directory. It tells whether that hides what layers further
// down have there: because it is opaque, or stands where something was deleted or was
// no directory.
func (s *stacker) clear(layer, to int, name string) (hides bool, err error) {
	if s.isOpaque(layer) {
		return true, removeTarget(to, name)
	}
	have, err := statAt(to, name)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if isDir(&have) {
		return false, nil
	}
	return true, unix.Unlinkat(to, name, 0)
}

func (s *stacker) isOpaque(dir int) bool {
	var value [1]byte
	n, err := unix.Fgetxattr(dir, s.opaque, value[:])
	return err == nil && n == 1 && value[0] == 'y'
}

// isWhiteout tells overlayfs' mark of a deleted name.
func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}
