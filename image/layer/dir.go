package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// makeDir makes a directory, or gives an existing one the entry's metadata. Its
// times are set when everything is written.
func (a *applier) makeDir(e *entry) error {
	list, err := a.xattrs(e.Header)
	if err != nil {
		return err
	}
	dir, err := a.folder(e.dir)
	if err != nil {
		return err
	}
	if err := a.queue.settle(place{dir.ino, e.base}); err != nil {
		return err
	}
	hidden, err := a.mkdir(dir.fd, e.base)
	if err != nil {
		return err
	}
	fd, err := openSub(dir.fd, e.base)
	if err != nil {
		return err
	}
	if hidden {
		err = a.setOpaque(fd)
	}
	if err == nil {
		err = a.setDirMetadata(fd, e, list)
	}
	if err != nil {
		_ = unix.Close(fd) // opened for reading; the first error counts
		return err
	}
	_, err = a.keep(e.path, fd)
	return err
}

// mkdir makes the directory name, or finds it made. hidden: a whiteout was in its
// place, so that what the layers below have there must not show in it.
func (a *applier) mkdir(dir int, name string) (hidden bool, err error) {
	for range retries {
		if err := unix.Mkdirat(dir, name, 0o700); !errors.Is(err, syscall.EEXIST) {
			return hidden, err
		}
		var st unix.Stat_t
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, syscall.ENOENT) {
			continue
		}
		if err != nil {
			return false, err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return hidden, nil
		}
		hidden = hidden || a.isWhiteout(&st)
		if err := unix.Unlinkat(dir, name, 0); err != nil && !errors.Is(err, syscall.ENOENT) {
			return false, err
		}
	}
	return false, contested(name)
}

// makeRoot gives the root itself its metadata. Were it anything but a directory, the
// next layer would be applied to what it points to (CVE-2021-29136).
func (a *applier) makeRoot(e *entry) error {
	if e.Typeflag != tar.TypeDir {
		return &safepath.Refusal{Object: quote(e.Name), Reason: "the root of a layer has to be a directory"}
	}
	list, err := a.xattrs(e.Header)
	if err != nil {
		return err
	}
	if err := a.setDirMetadata(a.root, e, list); err != nil {
		return err
	}
	delete(a.implied, ".")
	a.dropCached("")
	return nil
}

func (a *applier) setDirMetadata(fd int, e *entry, list []xattr) error {
	if err := a.chown(fd, e.Uid, e.Gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, e.mode); err != nil {
		return err
	}
	if a.opts.Format == Flat {
		// It may be that of a layer before, whose attributes are not this entry's.
		if err := dropXattrs(fd, list, a.opts.UserNS); err != nil {
			return err
		}
	}
	if err := setXattrs(fd, list); err != nil {
		return err
	}
	if hasDefaultACL(list) {
		// Files in it inherit the ACL, and with it another mode.
		a.sameMode = false
	}
	a.stamps[e.path] = a.current
	delete(a.implied, e.path)
	return nil
}

// dropCached forgets one directory: its metadata has changed.
func (a *applier) dropCached(path string) {
	if f := a.folders[path]; f != nil {
		f.drop()
		delete(a.folders, path)
	}
}

// vacate opens the parent of an entry that is no directory, and removes a directory
// in the entry's place. Anything else is removed when the entry is made.
func (a *applier) vacate(e *entry) (*folder, error) {
	dir, err := a.folder(e.dir)
	if err != nil {
		return nil, err
	}
	if _, mine := a.stamps[e.path]; !mine && a.opts.Format != Flat {
		return dir, nil // only directories of this layer can be there
	}
	var st unix.Stat_t
	err = unix.Fstatat(dir.fd, e.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return dir, nil
	}
	if err := a.queue.drain(); err != nil {
		return nil, err
	}
	if err := removeTree(dir.fd, e.base); err != nil {
		return nil, fmt.Errorf("replace the directory: %w", err)
	}
	a.forget()
	return a.folder(e.dir)
}

// Empty removes everything in a directory.
func Empty(dir *os.File) error {
	fd := int(dir.Fd())
	names, err := listDir(fd)
	if err != nil {
		return fmt.Errorf("empty %s: %w", dir.Name(), err)
	}
	for _, name := range names {
		if err := removeTree(fd, name); err != nil {
			return fmt.Errorf("empty %s: %w", dir.Name(), err)
		}
	}
	// An opaque mark would be one of another layer.
	for _, name := range opaqueMarks {
		_ = unix.Fremovexattr(fd, name) // usually there is none
	}
	return nil
}

// openSub opens the directory name in dir for reading, and follows no link.
func openSub(dir int, name string) (int, error) {
	return linux.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// notDir tells that openSub has found something else: a link is ELOOP or ENOTDIR.
func notDir(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// removeTree removes name and everything below it, by file descriptors.
func removeTree(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if !errors.Is(err, syscall.EISDIR) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	fd, err := openSub(dir, name)
	if err != nil {
		return err
	}
	names, err := listDir(fd)
	for _, child := range names {
		if err != nil {
			break
		}
		err = removeTree(fd, child)
	}
	_ = unix.Close(fd) // opened for reading
	if err != nil {
		return err
	}
	return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
}

// listDir returns the names in an open directory, sorted as bytes.
func listDir(fd int) ([]string, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	buf := make([]byte, 32<<10)
	var names []string
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	slices.Sort(names)
	return names, nil
}
