package bundle

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"berth/internal/accounts"
	"berth/internal/safepath"

	"golang.org/x/sys/unix"
)

// Tree is a root file system: the directories of its layers in overlayfs's format,
// the topmost first, or a single directory. Nothing has to be mounted to look a file
// up in it. The files stay the caller's.
type Tree []*os.File

// maxLinks is how many symbolic links a path may have, as in the kernel.
const maxLinks = 40

// Accounts reads passwd and group: an accounts.Files.
func (t Tree) Accounts(name string) ([]byte, error) {
	name = "etc/" + name
	f, err := t.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the image's /%s: %w", name, err)
	}
	defer f.Close() // it was only read
	return accounts.Read(f, name)
}

// Open opens a regular file for reading. Links lead to files of the tree; a device,
// which may be one of the host, is not opened.
func (t Tree) Open(name string) (*os.File, error) {
	w := walk{tree: t}
	defer w.close()
	at, last, err := w.resolve(name)
	if err != nil {
		return nil, err
	}
	if at < 0 {
		return nil, unix.EISDIR
	}
	found, err := unix.Openat(at, last, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(found) // O_PATH
	fd, err := safepath.ReopenRegular(found, name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// IsDir tells whether name, which has to exist, is a directory.
func (t Tree) IsDir(name string) (bool, error) {
	w := walk{tree: t}
	defer w.close()
	at, _, err := w.resolve(name)
	return err == nil && at < 0, err
}

// walk is a way through the tree. Each directory on it is what the layers have under
// the same name, the topmost first.
type walk struct {
	tree   Tree
	path   [][]int
	opened []int
	links  int
}

func (w *walk) close() {
	for _, fd := range w.opened {
		unix.Close(fd)
	}
}

// resolve follows name to its end: a directory (at is -1), or something else by its
// name in the directory at.
func (w *walk) resolve(name string) (at int, last string, err error) {
	root := make([]int, len(w.tree))
	for i, f := range w.tree {
		root[i] = int(f.Fd())
	}
	w.path = [][]int{root}
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch word {
		case "", ".":
			continue
		case "..":
			w.path = w.path[:max(1, len(w.path)-1)]
			continue
		}
		dirs, at, mode, err := w.find(word)
		switch {
		case err != nil:
			return -1, "", err
		case dirs != nil:
			w.path = append(w.path, dirs)
		case mode == unix.S_IFLNK:
			target, err := w.follow(at, word)
			if err != nil {
				return -1, "", err
			}
			rest = slices.Concat(strings.Split(target, "/"), rest)
		case len(rest) > 0:
			return -1, "", unix.ENOTDIR
		default:
			return at, word, nil
		}
	}
	return -1, "", nil
}

// find looks a name up in the directory that the walk has come to. dirs is set for a
// directory; else at and mode say where it is, and what.
func (w *walk) find(name string) (dirs []int, at int, mode uint32, err error) {
	for _, dir := range w.path[len(w.path)-1] {
		var st unix.Stat_t
		err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, -1, 0, err
		}
		kind := st.Mode & unix.S_IFMT
		if kind == unix.S_IFCHR && st.Rdev == 0 {
			break // deleted here, whatever is below
		}
		if kind != unix.S_IFDIR {
			if dirs == nil {
				return nil, dir, kind, nil
			}
			break
		}
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, -1, 0, err
		}
		w.opened = append(w.opened, fd)
		dirs = append(dirs, fd)
		if opaque(fd) {
			break
		}
	}
	if dirs == nil {
		return nil, -1, 0, unix.ENOENT
	}
	return dirs, -1, unix.S_IFDIR, nil
}

// opaque tells whether a directory hides those of its name below (overlayfs.rst).
func opaque(dir int) bool {
	var value [2]byte
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		if n, err := unix.Fgetxattr(dir, name, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

// follow reads a link; an absolute one goes back to the root of the tree.
func (w *walk) follow(at int, name string) (string, error) {
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(at, name, buf)
	if err != nil {
		return "", err
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		w.path = w.path[:1]
	}
	return target, nil
}
