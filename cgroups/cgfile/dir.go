package cgfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// Dir is an open cgroup directory. Its owner closes it.
type Dir struct {
	fd int
	// Path is where the directory was found, for errors and records only.
	Path    string
	journal *Journal // nil: nothing is noted
}

// Open opens the cgroup directory at an absolute path, which no symlink may be
// part of, and checks that it lies on a cgroup or cgroup2 file system: below an
// unmounted hierarchy plain directories could be made without anybody noticing.
func Open(dir string) (*Dir, error) {
	d, err := OpenMount(dir)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &st); err != nil {
		d.Close()
		return nil, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if !isCgroup(int64(st.Type)) {
		d.Close()
		return nil, fmt.Errorf("open cgroup %s: not on a cgroup file system", dir)
	}
	return d, nil
}

// OpenMount opens a mount point of which Detect has just found the file system to
// be right.
func OpenMount(dir string) (*Dir, error) {
	d, err := open(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open cgroup", Path: dir, Err: err}
	}
	d.Path = dir
	return d, nil
}

// Sub opens the directory rel, a relative path without "..", below d.
func (d *Dir) Sub(rel string) (*Dir, error) {
	full := path.Join(d.Path, rel)
	if err := Local(rel); err != nil {
		return nil, err
	}
	s, err := open(d.fd, rel, linux.ResolveBeneath|linux.ResolveNoXdev)
	if err != nil {
		return nil, &fs.PathError{Op: "open cgroup", Path: full, Err: err}
	}
	s.Path = full
	return s, nil
}

// FD is the directory's file descriptor, which d keeps.
func (d *Dir) FD() int { return d.fd }

// Release hands the file descriptor over to the caller; d is of no use afterwards.
func (d *Dir) Release() int {
	fd := d.fd
	d.fd = -1
	return fd
}

// Close closes d; a nil or closed Dir is fine.
func (d *Dir) Close() {
	if d == nil || d.fd < 0 {
		return
	}
	// Nothing is ever written through a directory fd, so close has nothing to report.
	_ = unix.Close(d.fd)
	d.fd = -1
}

// Local refuses a path that is empty, absolute or leaves the directory it is
// taken from.
func Local(rel string) error {
	if rel == "" || rel[0] == '/' || strings.IndexByte(rel, 0) >= 0 {
		return fmt.Errorf("cgroup path %q: not a relative path", rel)
	}
	for name := range strings.SplitSeq(rel, "/") {
		if name == ".." {
			return fmt.Errorf("cgroup path %q: leaves its parent", rel)
		}
	}
	return nil
}

// noOpenat2 is set once openat2(2) turned out to be missing (before v5.6) or
// filtered away.
var noOpenat2 atomic.Bool

// open opens a directory without following any symlink.
func open(dirfd int, p string, resolve uint64) (*Dir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err := openPath(dirfd, p, flags, resolve|linux.ResolveNoSymlinks)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// openPath opens p without following any symlink.
func openPath(dirfd int, p string, flags int, resolve uint64) (int, error) {
	if !noOpenat2.Load() {
		fd, err := linux.Openat2(dirfd, p, linux.OpenHow{Flags: uint64(flags), Resolve: resolve})
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
			return -1, err
		}
		noOpenat2.Store(true)
	}
	return walk(dirfd, p, flags)
}

// walk is openPath without openat2: component by component, each with O_NOFOLLOW.
func walk(dirfd int, p string, flags int) (int, error) {
	cur := dirfd
	if strings.HasPrefix(p, "/") {
		p = strings.TrimLeft(p, "/")
		root, err := linux.Openat(unix.AT_FDCWD, "/", flags, 0)
		if err != nil {
			return -1, err
		}
		cur = root
	}
	if p == "" {
		p = "."
	}
	for name := range strings.SplitSeq(p, "/") {
		if name == "" {
			continue
		}
		next, err := linux.Openat(cur, name, flags|unix.O_NOFOLLOW, 0)
		if cur != dirfd {
			_ = unix.Close(cur) // a directory fd of our own
		}
		if err != nil {
			return -1, err
		}
		cur = next
	}
	return cur, nil
}
