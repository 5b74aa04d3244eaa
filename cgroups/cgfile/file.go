package cgfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"berth/internal/linux"

	"golang.org/x/sys/unix"
)

// writeError reports a value that the kernel did not take.
type writeError struct {
	// File is the control file's name, Dir the cgroup, Data what was written.
	File, Dir, Data string
	Err             error
}

func (e *writeError) Error() string {
	return fmt.Sprintf("write %q to %s: %v", e.Data, path.Join(e.Dir, e.File), e.Err)
}

// Unwrap gives the errno.
func (e *writeError) Unwrap() error { return e.Err }

// OpenFile opens the control file name in d; the caller closes the fd.
func (d *Dir) OpenFile(name string, flags int) (int, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return -1, fmt.Errorf("cgroup file %q: not a file name", name)
	}
	return linux.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// Write writes data to the control file name in one write(2), as the kernel's
// parsers demand.
func (d *Dir) Write(name, data string) error {
	undo := d.before(name, data)
	err := d.write(name, data)
	if err == nil && undo != nil {
		d.journal.Add(undo)
	}
	return err
}

func (d *Dir) write(name, data string) error {
	fd, err := d.OpenFile(name, unix.O_WRONLY)
	if err != nil {
		return &writeError{name, d.Path, data, err}
	}
	err = writeFD(fd, data)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return &writeError{name, d.Path, data, err}
	}
	return nil
}

// WriteLines writes each line with its own write(2) through one fd.
func (d *Dir) WriteLines(name string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	fd, err := d.OpenFile(name, unix.O_WRONLY)
	if err != nil {
		return &writeError{name, d.Path, lines[0], err}
	}
	defer func() { _ = unix.Close(fd) }() // each write reported its own error
	for _, line := range lines {
		undo := d.before(name, line)
		if err := writeFD(fd, line); err != nil {
			return &writeError{name, d.Path, line, err}
		}
		if undo != nil {
			d.journal.Add(undo)
		}
	}
	return nil
}

// WriteUint writes a number.
func (d *Dir) WriteUint(name string, v uint64) error {
	return d.Write(name, strconv.FormatUint(v, 10))
}

// WriteInt writes a number.
func (d *Dir) WriteInt(name string, v int64) error {
	return d.Write(name, strconv.FormatInt(v, 10))
}

// writeFD writes data at once. Control files restart a write that a signal broke.
func writeFD(fd int, data string) error {
	for {
		n, err := unix.Write(fd, []byte(data))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n < len(data) {
			return unix.EIO
		}
		return err
	}
}

// Chown gives the control file name, or d itself as ".", to a user; its group stays.
func (d *Dir) Chown(name string, uid int) error {
	if strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("cgroup file %q: not a file name", name)
	}
	if err := unix.Fchownat(d.fd, name, uid, -1, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "chown", Path: path.Join(d.Path, name), Err: err}
	}
	return nil
}

// Exists tells whether the control file name is there.
func (d *Dir) Exists(name string) bool {
	return unix.Faccessat(d.fd, name, unix.F_OK, 0) == nil
}

// Read returns the control file name without white space around it.
func (d *Dir) Read(name string) (string, error) {
	b, err := d.readAll(name)
	if err != nil {
		return "", &fs.PathError{Op: "read", Path: path.Join(d.Path, name), Err: err}
	}
	return string(bytes.TrimSpace(b)), nil
}

// ReadShort is Read for a file of at most 64 bytes in the cgroup at an absolute path,
// which no symlink may be part of: three system calls, for lists of thousands.
func ReadShort(dir, name string) (string, error) {
	fail := func(err error) (string, error) {
		return "", &fs.PathError{Op: "read", Path: path.Join(dir, name), Err: err}
	}
	fd, err := openPath(unix.AT_FDCWD, dir+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, linux.ResolveNoSymlinks)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	var buf [64]byte
	for {
		n, err := unix.Read(fd, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		return string(bytes.TrimSpace(buf[:n])), nil
	}
}

func (d *Dir) readAll(name string) ([]byte, error) {
	fd, err := d.OpenFile(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read from
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return buf, nil
		}
		buf = buf[:len(buf)+n]
	}
}

// ReadUint reads a number; "max" gives the largest one.
func (d *Dir) ReadUint(name string) (uint64, error) {
	s, err := d.Read(name)
	if err != nil {
		return 0, err
	}
	if s == "max" {
		return 1<<64 - 1, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %q is not a number", path.Join(d.Path, name), s)
	}
	return v, nil
}

// ReadKey reads the number behind key in a file of "key value" lines; 0 when the
// key is not there.
func (d *Dir) ReadKey(name, key string) (uint64, error) {
	s, err := d.Read(name)
	if err != nil {
		return 0, err
	}
	v, _ := Key(s, key)
	return v, nil
}

// Key finds the number behind key in "key value" lines.
func Key(text, key string) (uint64, bool) {
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
		if k == key {
			n, err := strconv.ParseUint(v, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
