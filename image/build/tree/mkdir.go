package tree

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Mkdir makes a directory and those above it, 0755 and of the owner (nil: root),
// following links inside the tree. What exists is left as it is.
func (r *Root) Mkdir(name string, owner *Owner, t *time.Time) error {
	at, err := r.Resolve(name, true)
	if err != nil {
		return err
	}
	w := &writer{to: r, chown: owner, time: t}
	fd, err := w.mkdirAll(at.Path)
	if err != nil {
		return err
	}
	closeFD(fd)
	return nil
}

// mkdirAll opens a resolved directory and makes what is missing.
func (w *writer) mkdirAll(resolved string) (int, error) {
	dir, err := w.to.openReal("", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	done := ""
	for _, part := range parts(resolved) {
		done = path.Join(done, part)
		created, err := w.mkdir(dir, part)
		if err != nil {
			closeFD(dir)
			return -1, err
		}
		sub, err := openDirAt(dir, part)
		closeFD(dir)
		if err != nil {
			if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) {
				return -1, fmt.Errorf("%s: not a directory", w.to.shown(done))
			}
			return -1, err
		}
		dir = sub
		if created && w.time != nil {
			if err := w.setTime(sub, unix.NsecToTimespec(w.time.UnixNano())); err != nil {
				closeFD(dir)
				return -1, err
			}
		}
	}
	return dir, nil
}

// mkdir makes one directory if it is missing.
func (w *writer) mkdir(dir int, name string) (created bool, err error) {
	err = unix.Mkdirat(dir, name, 0o755)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	// Above the umask of whoever runs the build.
	if err := unix.Fchmodat(dir, name, 0o755, 0); err != nil {
		return true, &os.PathError{Op: "chmod", Path: name, Err: err}
	}
	if w.chown != nil && !w.to.OneOwner {
		if err := unix.Fchownat(dir, name, w.chown.UID, w.chown.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return true, &os.PathError{Op: "chown", Path: name, Err: err}
		}
	}
	return true, nil
}
