package tree

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

// Mirror makes one directory of another tree in this one, with its owner, mode,
// attributes and time if it exists there, else 0755; or an empty file. The directory
// above it is there already. What is there stays.
func (r *Root) Mirror(of *Root, name string, exists, file bool) error {
	dir, err := r.openReal(dirOf(name), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(dir)
	leaf := path.Base(name)
	var before unix.Stat_t
	if err := unix.Fstat(dir, &before); err != nil {
		return err
	}
	w := &writer{to: r}
	if file {
		f, err := createAt(dir, leaf)
		if errors.Is(err, unix.EEXIST) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Fchmod(int(f.Fd()), 0o644), f.Close()); err != nil {
			return err
		}
		return w.setTime(dir, before.Mtim)
	}
	created, err := w.mkdir(dir, leaf)
	if err != nil || !created {
		return err
	}
	if exists {
		if err := w.mirrorMeta(of, name, dir, leaf); err != nil {
			return err
		}
	}
	// The stub is not a change of the directory that it is in.
	return w.setTime(dir, before.Mtim)
}

func (w *writer) mirrorMeta(of *Root, name string, dir int, leaf string) error {
	from, err := of.openReal(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer closeFD(from)
	to, err := openDirAt(dir, leaf)
	if err != nil {
		return err
	}
	defer closeFD(to)
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	return w.finish(to, from, &st)
}
