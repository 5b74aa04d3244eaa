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
// of the result. userXattr says that opaque directories are marked by user.overlay.
func (r *Root) Stack(ctx context.Context, layer *Root, userXattr bool) error {
	s := &stacker{writer: &writer{ctx: ctx, to: r, from: layer, links: map[inode]string{}}, opaque: "trusted.overlay.opaque"}
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
	return s.dir(from, to, "")
}

type stacker struct {
	*writer
	opaque string
}

// dir puts what is in one directory into the other, which then gets its metadata.
func (s *stacker) dir(from, to int, at string) error {
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
		if err := s.entry(from, to, name, path.Join(at, name)); err != nil {
			return fmt.Errorf("/%s: %w", path.Join(at, name), err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	return s.finish(to, from, &st)
}

func (s *stacker) entry(from, to int, name, at string) error {
	st, err := statAt(from, name)
	if err != nil {
		return err
	}
	if !isDir(&st) {
		if err := removeTarget(to, name); err != nil {
			return err
		}
		if isWhiteout(&st) {
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
	if err := s.dir(sub, target, at); err != nil {
		return err
	}
	if hides {
		return unix.Fsetxattr(target, s.opaque, []byte("y"), 0)
	}
	return nil
}

// clear makes room for a directory. It tells whether that hides what layers further
// down have there: because it is opaque, or stands where something was deleted or was
// no directory.
func (s *stacker) clear(layer, to int, name string) (hides bool, err error) {
	var value [1]byte
	if n, err := unix.Fgetxattr(layer, s.opaque, value[:]); err == nil && n == 1 && value[0] == 'y' {
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

// isWhiteout tells overlayfs' mark of a deleted name.
func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}
