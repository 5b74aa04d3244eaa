package tree

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"berth/image"

	"golang.org/x/sys/unix"
)

// maxEntries bounds the entries of an archive that ADD unpacks.
const maxEntries = 5_000_000

// tryUnpack extracts a source into the destination if it is an archive: a tar file,
// compressed or not. done is false for any other file.
func (w *writer) tryUnpack(s *selected) (done bool, err error) {
	fd, err := w.from.openReal(s.found.Path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return false, err
	}
	f := os.NewFile(uintptr(fd), s.found.Path)
	defer f.Close()
	r, stop, err := decompress(f)
	if err != nil {
		return false, nil // it only looks compressed: it is copied as it is
	}
	defer stop()
	t := tar.NewReader(r)
	first, err := t.Next()
	if err != nil {
		// An archive without entries and a file that is none look alike here.
		return false, nil
	}
	if err := w.untar(t, first); err != nil {
		return false, fmt.Errorf("unpack %s: %w", s.found.Path, err)
	}
	return true, nil
}

// Unpack extracts an archive below a directory of the tree: for --unpack of what was
// fetched, and for a context that comes as an archive. ok is false, and nothing is
// written, when r is no archive.
func (r *Root) Unpack(ctx context.Context, archive io.Reader, dest string, owner *Owner, tm *time.Time) (ok bool, err error) {
	in, stop, err := decompress(archive)
	if err != nil {
		return false, err
	}
	defer stop()
	t := tar.NewReader(in)
	first, err := t.Next()
	if err != nil {
		return false, nil
	}
	w := &writer{ctx: ctx, to: r, dest: dest, chown: owner, time: tm, links: map[inode]string{}}
	return true, w.untar(t, first)
}

// untar extracts all entries. Names are taken below the destination, where ".." ends
// at its top; links are resolved below the root of the tree.
func (w *writer) untar(t *tar.Reader, h *tar.Header) error {
	at, err := w.to.Resolve(w.dest, true)
	if err != nil {
		return err
	}
	base, err := w.mkdirAll(at.Path)
	if err != nil {
		return err
	}
	closeFD(base)
	u := untarrer{w: w, base: at.Path}
	for entries := 0; h != nil; entries++ {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if entries > maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
		if err := u.entry(t, h); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if h, err = t.Next(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return u.dirTimes()
}

type untarrer struct {
	w    *writer
	base string
	// dirs get their time in the end: creating a file in one changes it.
	dirs []dirTime
}

type dirTime struct {
	path string
	time unix.Timespec
}

func (u *untarrer) entry(t *tar.Reader, h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo, tar.TypeGNUSparse:
	default:
		return fmt.Errorf("entries of type %q are not supported", h.Typeflag)
	}
	name := path.Clean("/" + h.Name)[1:]
	where, err := u.w.to.Resolve(path.Join(u.base, dirOf(name)), true)
	if err != nil {
		return err
	}
	parent, err := u.w.mkdirAll(where.Path)
	if err != nil {
		return err
	}
	defer closeFD(parent)
	st := statOf(h)
	if h.Typeflag == tar.TypeDir {
		return u.dir(parent, where.Path, name, h, st)
	}
	leaf := path.Base(name)
	if name == "" {
		return errors.New("the top of an archive is a directory")
	}
	if err := removeTarget(parent, leaf); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeLink:
		return u.hardlink(h, parent, leaf)
	case tar.TypeSymlink:
		if err := unix.Symlinkat(h.Linkname, parent, leaf); err != nil {
			return &os.LinkError{Op: "symlink", Old: h.Linkname, New: leaf, Err: err}
		}
		return u.w.metaAt(parent, leaf, st)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if err := unix.Mknodat(parent, leaf, st.Mode, int(st.Rdev)); err != nil {
			return &os.PathError{Op: "mknod", Path: leaf, Err: err}
		}
		return u.w.metaAt(parent, leaf, st)
	}
	return u.file(t, h, parent, leaf, st)
}

func (u *untarrer) file(t *tar.Reader, h *tar.Header, parent int, leaf string, st *unix.Stat_t) error {
	f, err := createAt(parent, leaf)
	if err != nil {
		return err
	}
	defer f.Close()
	// A sparse file says in a few bytes that it has exabytes.
	if _, err := io.Copy(f, image.Until(u.w.ctx, t)); err != nil {
		return err
	}
	fd := int(f.Fd())
	if err := u.w.own(fd, st); err != nil {
		return err
	}
	if err := paxXattrs(fd, h); err != nil {
		return err
	}
	if err := u.w.stamp(fd, st); err != nil {
		return err
	}
	return f.Close()
}

func (u *untarrer) dir(parent int, at, name string, h *tar.Header, st *unix.Stat_t) error {
	leaf := "."
	if name != "" {
		leaf = path.Base(name)
		if have, err := statAt(parent, leaf); err == nil && !isDir(&have) {
			// A link to a directory stays: it is where the image keeps that directory.
			if isLink(&have) {
				found, err := u.w.to.Resolve(path.Join(at, leaf), true)
				if err == nil && found.Exists && isDir(&found.Stat) {
					return nil
				}
			}
			if err := unix.Unlinkat(parent, leaf, 0); err != nil {
				return err
			}
		}
		if _, err := u.w.mkdir(parent, leaf); err != nil {
			return err
		}
	}
	fd, err := openDirAt(parent, leaf)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if err := u.w.own(fd, st); err != nil {
		return err
	}
	u.dirs = append(u.dirs, dirTime{path: path.Join(at, leaf), time: u.w.mtime(st)})
	return paxXattrs(fd, h)
}

func (u *untarrer) hardlink(h *tar.Header, parent int, leaf string) error {
	target, err := u.w.to.Resolve(path.Join(u.base, path.Clean("/"+h.Linkname)), false)
	if err != nil {
		return err
	}
	if !target.Exists {
		return fmt.Errorf("hard link to %s: no such file in the archive", h.Linkname)
	}
	return u.w.link(target.Path, parent, leaf)
}

func (u *untarrer) dirTimes() error {
	for i := len(u.dirs) - 1; i >= 0; i-- {
		fd, err := u.w.to.openReal(u.dirs[i].path, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			continue // a later entry has replaced it
		}
		err = u.w.setTime(fd, u.dirs[i].time)
		closeFD(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// removeTarget makes room for an entry, also where a directory is.
func removeTarget(dir int, name string) error {
	st, err := statAt(dir, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if !isDir(&st) {
		return unix.Unlinkat(dir, name, 0)
	}
	return RemoveAllAt(dir, name)
}

// RemoveAllAt removes a directory and all below it, following nothing.
func RemoveAllAt(dir int, name string) error {
	fd, err := openDirAt(dir, name)
	if err != nil {
		return err
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		closeFD(fd)
		return err
	}
	names, err := listFD(dup)
	for _, n := range names {
		st, statErr := statAt(fd, n)
		switch {
		case statErr != nil:
			err = statErr
		case isDir(&st):
			err = errors.Join(err, RemoveAllAt(fd, n))
		default:
			err = errors.Join(err, unix.Unlinkat(fd, n, 0))
		}
	}
	closeFD(fd)
	if err != nil {
		return err
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

func statOf(h *tar.Header) *unix.Stat_t {
	st := &unix.Stat_t{Uid: uint32(h.Uid), Gid: uint32(h.Gid), Mode: uint32(h.Mode) & 0o7777, Mtim: unix.NsecToTimespec(h.ModTime.UnixNano())}
	switch h.Typeflag {
	case tar.TypeDir:
		st.Mode |= unix.S_IFDIR
	case tar.TypeSymlink:
		st.Mode |= unix.S_IFLNK
	case tar.TypeChar:
		st.Mode |= unix.S_IFCHR
	case tar.TypeBlock:
		st.Mode |= unix.S_IFBLK
	case tar.TypeFifo:
		st.Mode |= unix.S_IFIFO
	default:
		st.Mode |= unix.S_IFREG
	}
	st.Rdev = unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	return st
}

func paxXattrs(fd int, h *tar.Header) error {
	const prefix = "SCHILY.xattr."
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok || !keepsXattr(name) || strings.ContainsRune(name, 0) {
			continue
		}
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
