package cgfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MkdirAll makes the cgroup rel below d with all its parents and calls made for
// each directory that was not there before, outermost first.
func (d *Dir) MkdirAll(rel string, made func(rel string) error) error {
	if err := Local(rel); err != nil {
		return err
	}
	// One call is enough when the parents are there, which is the rule.
	err := d.mkdir(rel)
	if err == nil {
		return made(rel)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	for range parentTries {
		if err = d.mkdirEach(rel, made); !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return err
}

// parentTries bounds how often a parent may vanish, by the undoing of another
// create that failed, between its making and its use.
const parentTries = 10

func (d *Dir) mkdirEach(rel string, made func(rel string) error) error {
	for i := 1; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		switch err := d.mkdir(rel[:i]); {
		case err == nil:
			if err := made(rel[:i]); err != nil {
				return err
			}
		case !errors.Is(err, unix.EEXIST):
			return err
		}
	}
	return nil
}

func (d *Dir) mkdir(rel string) error {
	if err := unix.Mkdirat(d.fd, rel, 0o755); err != nil {
		return &fs.PathError{Op: "mkdir", Path: path.Join(d.Path, rel), Err: err}
	}
	return nil
}

// Rmdir removes the empty cgroup rel below d; ENOENT is returned like any other
// error.
func (d *Dir) Rmdir(rel string) error {
	for {
		err := unix.Unlinkat(d.fd, rel, unix.AT_REMOVEDIR)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "rmdir", Path: path.Join(d.Path, rel), Err: err}
		}
		return nil
	}
}

// Pids lists the processes of d alone.
func (d *Dir) Pids() ([]int, error) { return d.appendPids(nil) }

func (d *Dir) appendPids(pids []int) ([]int, error) {
	b, err := d.readAll("cgroup.procs")
	// A threaded cgroup shows its processes in the domain above it alone.
	if errors.Is(err, unix.EOPNOTSUPP) {
		return pids, nil
	}
	if err != nil {
		return pids, &fs.PathError{Op: "read", Path: path.Join(d.Path, "cgroup.procs"), Err: err}
	}
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		b = rest
		// 0 stands for a process of another pid namespace, which nobody here can name.
		if pid, err := strconv.Atoi(string(line)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// AllPids lists the processes of d and of every cgroup below it.
func (d *Dir) AllPids() ([]int, error) {
	var pids []int
	err := d.walkTree(func(c *Dir) (err error) {
		pids, err = c.appendPids(pids)
		if Gone(err) {
			return nil
		}
		return err
	}, nil)
	return pids, err
}

// PidsOf lists the processes of the cgroup that open opens, and of those below it; a
// removed one has none.
func PidsOf(open func() (*Dir, error)) ([]int, error) {
	d, err := open()
	if err == nil {
		var pids []int
		if pids, err = d.AllPids(); err == nil {
			return pids, nil
		}
	}
	if Gone(err) {
		return nil, nil
	}
	return nil, err
}

// removeChildren removes every cgroup below d that has neither processes nor
// children that have.
func (d *Dir) removeChildren() error {
	return d.walkTree(nil, func(parent *Dir, name string) error {
		err := parent.Rmdir(name)
		// A busy one shows again as EBUSY of its parent.
		if Gone(err) || errors.Is(err, unix.EBUSY) {
			return nil
		}
		return err
	})
}

// children lists the directories in d. A cgroup's link count tells that it has
// none (2) without reading it.
func (d *Dir) children() ([]string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: d.Path, Err: err}
	}
	if st.Nlink == 2 {
		return nil, nil
	}
	return d.subdirs()
}

func (d *Dir) subdirs() ([]string, error) {
	var names []string
	err := d.entries(func(name string, kind byte) {
		if kind == unix.DT_DIR {
			names = append(names, name)
		}
	})
	return names, err
}

// entries reads the directory from its start.
func (d *Dir) entries(add func(name string, kind byte)) error {
	if _, err := unix.Seek(d.fd, 0, unix.SEEK_SET); err != nil {
		return &fs.PathError{Op: "rewind", Path: d.Path, Err: err}
	}
	buf := make([]byte, 4096)
	for {
		n, err := unix.Getdents(d.fd, buf)
		if err != nil {
			return &fs.PathError{Op: "read directory", Path: d.Path, Err: err}
		}
		if n <= 0 {
			return nil
		}
		for b := buf[:n]; len(b) > 0; {
			// struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
			size := int(binary.NativeEndian.Uint16(b[16:18]))
			name, _, _ := strings.Cut(string(b[19:size]), "\x00")
			if name != "." && name != ".." {
				add(name, b[18])
			}
			b = b[size:]
		}
	}
}
