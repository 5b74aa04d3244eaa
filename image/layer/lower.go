package layer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// lookup opens path as the layers, topmost first, show it together: with O_PATH,
// ENOENT when a whiteout or an opaque directory hides it. Links are not followed.
func lookup(layers []*os.File, path string) (int, error) {
	for _, l := range layers {
		fd, more, err := lookupIn(int(l.Fd()), path)
		if err == nil || !more {
			return fd, err
		}
	}
	return -1, syscall.ENOENT
}

// lookupIn looks into one layer; more tells that those below may have the path.
func lookupIn(root int, path string) (fd int, more bool, err error) {
	at, err := linux.Openat(root, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, false, err
	}
	defer func() { _ = unix.Close(at) }() // opened for reading
	more = true
	for {
		name, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			return lookupLast(at, name, more)
		}
		next, err := openSub(at, name)
		if errors.Is(err, syscall.ENOENT) {
			return -1, more, err
		}
		if err != nil {
			return -1, false, syscall.ENOENT // a file, link or whiteout is in the way
		}
		_ = unix.Close(at) // opened for reading
		at, path = next, rest
		more = more && !isOpaque(at)
	}
}

func lookupLast(dir int, name string, more bool) (int, bool, error) {
	fd, err := linux.Openat(dir, name, linux.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, more && errors.Is(err, syscall.ENOENT), err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && isWhiteout(&st) {
		err = syscall.ENOENT
	}
	if err != nil {
		_ = unix.Close(fd) // an O_PATH fd
		return -1, false, err
	}
	return fd, false, nil
}

// opaqueMarks are the attributes that make a directory opaque, in Overlay's format
// and in OverlayUser's.
var opaqueMarks = [...]string{Overlay: "trusted.overlay.opaque", OverlayUser: "user.overlay.opaque"}

// isOpaque tells whether a directory of overlay's format hides those below.
func isOpaque(fd int) bool {
	for _, name := range opaqueMarks {
		var value [1]byte
		if n, err := unix.Fgetxattr(fd, name, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

// linkLower does for a hard link to a file of a layer below what overlayfs does on
// link(2): it copies the file up under its own name, and links to that.
func (a *applier) linkLower(e *entry, target string, dir *folder) error {
	missing := fmt.Errorf("make hard link to %s: %w", quote(target), syscall.ENOENT)
	fd, more, err := lookupIn(a.root, target)
	if err == nil {
		_ = unix.Close(fd) // an O_PATH fd
	}
	if err == nil || !more || a.opts.Lower == nil {
		// This layer itself hides what those below have.
		return missing
	}
	lower, err := a.opts.Lower(a.ctx)
	if err != nil {
		return err
	}
	from, err := lookup(lower, target)
	if errors.Is(err, syscall.ENOENT) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("look up %s in the layers below: %w", quote(target), err)
	}
	defer unix.Close(from) // an O_PATH fd
	dir.hold()
	defer dir.drop()
	parent, base := split(target)
	// Not of this layer: the directories above it are as the layers below have them.
	up, err := a.folder(parent)
	if err != nil {
		return err
	}
	if err := a.copyUp(from, up, base); err != nil {
		return fmt.Errorf("copy %s from the layers below: %w", quote(target), err)
	}
	return a.linkOwn(target, dir.fd, e.base)
}

// copyUp copies a file or symlink of a layer below, with its metadata.
func (a *applier) copyUp(from int, dir *folder, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFLNK:
		target, err := linux.Readlinkat(from, "")
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(target, dir.fd, name); err != nil {
			return err
		}
		return a.explainOwner(unix.Fchownat(dir.fd, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW), int(st.Uid), int(st.Gid))
	default:
		return errors.New("only files and symlinks are copied")
	}
	if err := a.count(st.Size); err != nil {
		return err
	}
	src, err := safepath.Reopen(from, unix.O_RDONLY)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(src), name)
	defer in.Close() // opened for reading
	list, err := readXattrs(src, a.opts.UserNS)
	if err != nil {
		return err
	}
	fd, err := createFile(dir.fd, name, st.Mode&0o777)
	if err != nil {
		return err
	}
	if err := a.writeStream(fd, in, st.Size); err != nil {
		_ = unix.Close(fd) // the first error counts
		return err
	}
	return a.finishFile(fd, dir, &file{mode: st.Mode & 0o7777, uid: int(st.Uid), gid: int(st.Gid), times: statTimes(&st), xattrs: list})
}

func statTimes(st *unix.Stat_t) times {
	return times{syscall.Timespec(st.Atim), syscall.Timespec(st.Mtim)}
}
