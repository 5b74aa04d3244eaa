package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// dir is an open directory of the store. Names are single components that were
// checked or made here; no call follows a link. A nil dir is one that is missing
// from a store that is only read: nothing is in it.
type dir struct {
	f    *os.File
	path string
}

// openDir opens a directory by its path, which is the store's owner's to choose.
func openDir(path string) (*dir, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &dir{f: os.NewFile(uintptr(fd), path), path: path}, nil
}

func (d *dir) close() error { return d.f.Close() }

func (d *dir) fd() int { return int(d.f.Fd()) }

func (d *dir) join(name string) string { return d.path + "/" + name }

// sub opens a directory in d.
func (d *dir) sub(name string) (*dir, error) {
	if d == nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd(), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.join(name), Err: err}
	}
	return &dir{f: os.NewFile(uintptr(fd), d.join(name)), path: d.join(name)}, nil
}

// make opens a directory in d, which it creates when there is none.
func (d *dir) make(name string) (*dir, error) {
	if err := unix.Mkdirat(d.fd(), name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "mkdir", Path: d.join(name), Err: err}
	}
	return d.sub(name)
}

// open opens a file in d. It never waits for a fifo's other end.
func (d *dir) open(name string, flags int, mode uint32) (*os.File, error) {
	if d == nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd(), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, mode)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.join(name), Err: err}
	}
	return os.NewFile(uintptr(fd), d.join(name)), nil
}

// openRegular opens a file for reading that must be a regular one, and returns its
// size. A link, device or fifo is damage, or an attack.
func (d *dir) openRegular(name string) (*os.File, int64, error) {
	f, err := d.open(name, unix.O_RDONLY, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, 0, &DamagedError{d.join(name), "is a symbolic link"}
	}
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		_ = f.Close() // it was not read
		if err == nil {
			err = &DamagedError{d.join(name), "is not a regular file"}
		}
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// read returns a whole regular file of at most limit bytes.
func (d *dir) read(name string, limit int64) ([]byte, error) {
	f, size, err := d.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, &DamagedError{d.join(name), fmt.Sprintf("%d bytes are above the limit of %d", size, limit)}
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.join(name), err)
	}
	return raw, nil
}

func (d *dir) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	if d == nil {
		return st, &os.PathError{Op: "stat", Path: name, Err: unix.ENOENT}
	}
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return st, &os.PathError{Op: "stat", Path: d.join(name), Err: err}
	}
	return st, nil
}

func (d *dir) exists(name string) bool {
	_, err := d.stat(name)
	return err == nil
}

func (d *dir) remove(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil {
		return &os.PathError{Op: "remove", Path: d.join(name), Err: err}
	}
	return nil
}

// removeAll removes a tree. Nothing in it is followed (os.RemoveAll works on
// directory descriptors).
func (d *dir) removeAll(name string) error { return os.RemoveAll(d.join(name)) }

// empty removes all that is in d.
func (d *dir) empty() error {
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := d.removeAll(name); err != nil {
			return err
		}
	}
	return nil
}

// rename moves a name of d to another directory of the store; what has the new
// name is replaced.
func (d *dir) rename(name string, to *dir, toName string) error {
	return d.renameWith(name, to, toName, 0)
}

// renameNew is rename that refuses with EEXIST to replace anything.
func (d *dir) renameNew(name string, to *dir, toName string) error {
	return d.renameWith(name, to, toName, unix.RENAME_NOREPLACE)
}

func (d *dir) renameWith(name string, to *dir, toName string, flags uint) error {
	if err := unix.Renameat2(d.fd(), name, to.fd(), toName, flags); err != nil {
		return &os.LinkError{Op: "rename", Old: d.join(name), New: to.join(toName), Err: err}
	}
	return nil
}

// sync makes the names in d survive a crash of the machine.
func (d *dir) sync() error {
	if err := d.f.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", d.path, err)
	}
	return nil
}

// names lists d.
func (d *dir) names() ([]string, error) {
	if d == nil {
		return nil, nil
	}
	// A descriptor of its own: the position of d.f is shared by all goroutines.
	again, err := d.sub(".")
	if err != nil {
		return nil, err
	}
	defer again.f.Close()
	names, err := again.f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.path, err)
	}
	return names, nil
}

// temp creates a file with a name that nothing has, for writing and reading.
func (d *dir) temp(prefix string) (*os.File, string, error) {
	name := prefix + rand.Text()
	f, err := d.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	return f, name, err
}

// replace writes a whole file so that a reader, or the next boot, sees the old or
// the new content.
func (d *dir) replace(tmp *dir, name string, raw []byte, mode os.FileMode) error {
	if err := d.put(tmp, name, raw, mode, (*os.File).Sync); err != nil {
		return err
	}
	return d.sync()
}

// replaceUnsynced is replace without the next boot, which can find the file torn.
func (d *dir) replaceUnsynced(tmp *dir, name string, raw []byte, mode os.FileMode) error {
	return d.put(tmp, name, raw, mode, func(*os.File) error { return nil })
}

func (d *dir) put(tmp *dir, name string, raw []byte, mode os.FileMode, sync func(*os.File) error) error {
	f, temp, err := tmp.temp("file-")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = sync(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = tmp.rename(temp, d, name)
	}
	if err != nil {
		// gc removes what cannot be removed now.
		_ = tmp.remove(temp)
		return fmt.Errorf("write %s: %w", d.join(name), err)
	}
	return nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		fd, err := call()
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
