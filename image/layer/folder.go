package layer

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// maxFolders bounds the directories that are held open. Archives go through a tree
// one directory after the other, so few are enough.
const maxFolders = 128

// folder is an open directory below the root. The walker and the writers of files
// that are still on their way share it.
type folder struct {
	fd   int
	ino  uint64
	gid  uint32
	refs atomic.Int32
}

func (f *folder) hold() { f.refs.Add(1) }

func (f *folder) drop() {
	if f.refs.Add(-1) == 0 {
		_ = unix.Close(f.fd) // opened for reading: nothing can be lost
	}
}

// newFolder takes over fd.
func newFolder(fd int) (*folder, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd) // the error of fstat counts
		return nil, err
	}
	f := &folder{fd: fd, ino: st.Ino, gid: st.Gid}
	f.refs.Store(1)
	return f, nil
}

// folder returns the directory path, which the cache keeps; it is valid until the
// next entry. Links of the archive in its way are resolved inside the root. What is
// missing is made, and noted as implied.
func (a *applier) folder(path string) (*folder, error) {
	if f := a.folders[path]; f != nil {
		return f, nil
	}
	fd, err := a.openDir(path)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		// It may be on its way as a file, be hidden, or not be there at all.
		if err := a.queue.drain(); err != nil {
			return nil, err
		}
		fd, err = a.makeDirs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open directory %s: %w", quote(path), err)
	}
	return a.keep(path, fd)
}

// keep puts an open directory into the cache, and takes over fd.
func (a *applier) keep(path string, fd int) (*folder, error) {
	f, err := newFolder(fd)
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", quote(path), err)
	}
	if old := a.folders[path]; old != nil {
		old.drop()
	}
	a.folders[path] = f
	return f, nil
}

// forget empties the cache: after something was removed a path may mean another
// directory, and the number of open ones is bounded.
func (a *applier) forget() {
	for path, f := range a.folders {
		f.drop()
		delete(a.folders, path)
	}
}

// openDir opens a directory of the tree.
func (a *applier) openDir(path string) (int, error) {
	return openDir(a.root, path)
}

func openDir(root int, path string) (int, error) {
	if path == "" {
		path = "."
	}
	return safepath.OpenInRoot(root, path, unix.O_RDONLY|unix.O_DIRECTORY)
}

// makeDirs opens path and makes what is missing of it.
func (a *applier) makeDirs(path string) (int, error) {
	at, err := a.openDir("")
	if err != nil {
		return -1, err
	}
	for end := 0; end < len(path); end++ {
		start := end
		if end = start + strings.IndexByte(path[start:], '/'); end < start {
			end = len(path)
		}
		next, err := a.openDir(path[:end])
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
			next, err = a.makeImplied(at, path[:end], path[start:end])
		}
		_ = unix.Close(at) // opened for reading
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}

// makeImplied makes the directory name in the directory at, which no entry has
// named so far: an entry below it needs it.
func (a *applier) makeImplied(at int, path, name string) (int, error) {
	hidden := false
	if err := unix.Mkdirat(at, name, 0o755); errors.Is(err, syscall.EEXIST) {
		var st unix.Stat_t
		if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return -1, err
		}
		switch {
		case st.Mode&unix.S_IFMT == unix.S_IFLNK:
			// It points to nothing yet, such as /var/run → /run: its target is
			// made, inside the root.
			return a.makeLinked(path)
		case !a.isWhiteout(&st):
			return -1, syscall.ENOTDIR
		}
		// The layer hides what was there, and puts a new directory in its place.
		hidden = true
		if err := unix.Unlinkat(at, name, 0); err != nil {
			return -1, err
		}
		if err := unix.Mkdirat(at, name, 0o755); err != nil {
			return -1, err
		}
	} else if err != nil {
		return -1, err
	}
	fd, err := openSub(at, name)
	if err != nil {
		return -1, err
	}
	if err := a.settleImplied(fd, hidden); err != nil {
		_ = unix.Close(fd) // the first error counts
		return -1, err
	}
	if !hidden {
		a.implied[path] = struct{}{}
	}
	a.stamps[path] = a.current
	a.remember(path)
	return fd, nil
}

// makeLinked makes the directory that a link of the archive points to.
func (a *applier) makeLinked(path string) (int, error) {
	fd, err := safepath.MkdirAll(a.root, path, 0o755)
	if err != nil {
		return -1, err
	}
	_ = unix.Close(fd) // an O_PATH fd: metadata is set by a readable one
	return a.openDir(path)
}

// settleImplied gives an implied directory the owner and mode that most have.
func (a *applier) settleImplied(fd int, hidden bool) error {
	if hidden {
		if err := a.setOpaque(fd); err != nil {
			return err
		}
	}
	if err := a.chown(fd, 0, 0); err != nil {
		return err
	}
	return unix.Fchmod(fd, 0o755)
}

// stampAll sets the times of the directories, which every entry in one has changed.
func (a *applier) stampAll() error {
	for path, t := range a.stamps {
		if path == "" {
			path = "."
		}
		fd, err := safepath.OpenInRoot(a.root, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if err != nil {
			// An entry has replaced it since.
			continue
		}
		err = linux.Futimens(fd, t.access, t.modify)
		_ = unix.Close(fd) // opened for reading
		if err != nil {
			return fmt.Errorf("set times of %s: %w", quote(path), err)
		}
	}
	return nil
}
