package layer

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// makeSymlink makes a symlink. Its target is the container's affair: nothing here
// ever follows it out of the root.
func (a *applier) makeSymlink(e *entry) error {
	if e.Linkname == "" || len(e.Linkname) > a.limits.Path || strings.IndexByte(e.Linkname, 0) >= 0 {
		return &safepath.Refusal{Object: quote(e.Name), Reason: "the target of the symlink is empty, too long or holds a NUL byte"}
	}
	dir, err := a.vacate(e)
	if err != nil {
		return err
	}
	return a.makeSpecial(e, dir, unix.S_IFLNK, func() error {
		return unix.Symlinkat(e.Linkname, dir.fd, e.base)
	})
}

// makeLink makes a hard link to another file of the layer or, copied, of one below.
// The metadata of the entry is ignored: it is that of the file it links to, and
// what else it says must not reach another inode (CVE-2021-32760).
func (a *applier) makeLink(e *entry) error {
	target, err := a.clean(e.Linkname)
	if err != nil {
		return err
	}
	if target == "" {
		return &safepath.Refusal{Object: quote(e.Name), Reason: "it is a hard link to the root"}
	}
	if target == e.path {
		return nil
	}
	if err := a.settleTarget(target); err != nil {
		return err
	}
	dir, err := a.vacate(e)
	if err != nil {
		return err
	}
	if err := a.queue.settle(place{dir.ino, e.base}); err != nil {
		return err
	}
	err = a.linkOwn(target, dir.fd, e.base)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return a.linkLower(e, target, dir)
	}
	return err
}

// settleTarget waits until the target is written.
func (a *applier) settleTarget(target string) error {
	// The directory is not asked for: looking would make it.
	_, base := split(target)
	if a.queue.holds(base) {
		if err := a.queue.drain(); err != nil {
			return err
		}
	}
	return nil
}

// linkOwn links to a file that is in the tree; ENOENT when it is not.
func (a *applier) linkOwn(target string, dir int, name string) error {
	parent, base := split(target)
	from := a.folders[parent]
	if from == nil {
		fd, err := a.openDir(parent)
		if err != nil {
			return err
		}
		if from, err = a.keep(parent, fd); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstatat(from.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if a.isWhiteout(&st) {
		return syscall.ENOENT
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return &safepath.Refusal{Object: quote(target), Reason: "a hard link goes to it, and it is a directory"}
	}
	return replace(dir, name, func() error {
		err := unix.Linkat(from.fd, base, dir, name, 0)
		var old unix.Stat_t
		if errors.Is(err, syscall.EEXIST) && unix.Fstatat(dir, name, &old, unix.AT_SYMLINK_NOFOLLOW) == nil &&
			old.Ino == st.Ino && old.Dev == st.Dev {
			return nil
		}
		return err
	})
}

// makeSpecial makes what has no content with create, and sets its metadata by a file
// descriptor of exactly that object.
func (a *applier) makeSpecial(e *entry, dir *folder, kind uint32, create func() error) error {
	list, err := a.xattrs(e.Header)
	if err != nil {
		return err
	}
	if err := a.queue.settle(place{dir.ino, e.base}); err != nil {
		return err
	}
	if err := replace(dir.fd, e.base, create); err != nil {
		return err
	}
	fd, err := linux.Openat(dir.fd, e.base, linux.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	err = a.setSpecialMetadata(fd, e, kind, list)
	_ = unix.Close(fd) // an O_PATH fd
	return err
}

func (a *applier) setSpecialMetadata(fd int, e *entry, kind uint32, list []xattr) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != kind || st.Nlink != 1 {
		return &safepath.Refusal{Object: quote(e.Name), Reason: "another process has replaced it"}
	}
	if !a.opts.Squash && (st.Uid != uint32(e.Uid) || st.Gid != uint32(e.Gid)) {
		if err := a.explainOwner(unix.Fchownat(fd, "", e.Uid, e.Gid, unix.AT_EMPTY_PATH), e.Uid, e.Gid); err != nil {
			return err
		}
	}
	// fchmod(2) and fsetxattr(2) take no O_PATH fd; procfs's link leads to the very
	// object, even when that is a symlink.
	self := procFD(fd)
	if kind != unix.S_IFLNK && st.Mode&0o7777 != e.mode {
		if err := unix.Chmod(self, e.mode); err != nil {
			return fmt.Errorf("set mode: %w", err)
		}
	}
	for _, x := range list {
		err := unix.Setxattr(self, x.name, []byte(x.value), 0)
		// user.* exists on files and directories only, see xattr(7).
		if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.ENOTSUP) {
			return fmt.Errorf("set extended attribute %s: %w", quote(x.name), err)
		}
	}
	return setTimesAt(fd, a.current)
}
