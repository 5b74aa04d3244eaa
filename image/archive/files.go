package archive

import (
	"errors"
	"fmt"
	"io"
	"os"

	"berth/internal/linux"
	"berth/internal/safepath"

	"golang.org/x/sys/unix"
)

// file is an open file of a layout or archive.
type file struct {
	*io.SectionReader
	close func() error
}

func (f file) Close() error { return f.close() }

// files are the files of a layout or archive, by names with slashes.
type files interface {
	// open opens a regular file; os.ErrNotExist when there is none.
	open(name string) (file, error)
	close() error
}

// maxJSON bounds index.json and manifest.json, in bytes.
const maxJSON = 16 << 20

// read returns a whole small file.
func read(fs files, name string, limit int64) ([]byte, error) {
	f, err := fs.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes are above the limit of %d", quote(name), f.Size(), limit)
	}
	raw := make([]byte, f.Size())
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", quote(name), err)
	}
	return raw, nil
}

// directory is a layout on disk.
type directory struct{ root *os.File }

func (d directory) close() error { return d.root.Close() }

// open refuses links, in the middle of the name as well: a layout's blob could be
// one to a file of the host.
func (d directory) open(name string) (file, error) {
	fd, err := safepath.Open(int(d.root.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC,
		linux.ResolveBeneath|linux.ResolveNoSymlinks)
	if errors.Is(err, unix.ELOOP) {
		return file{}, fmt.Errorf("open %s: it is, or lies behind, a symbolic link", quote(name))
	}
	if err != nil {
		return file{}, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("open %s: it is not a regular file", quote(name))
	}
	if err != nil {
		return file{}, errors.Join(err, f.Close())
	}
	return file{io.NewSectionReader(f, 0, st.Size()), f.Close}, nil
}

// quote shows a hostile name, cut and without control characters.
func quote(name string) string {
	const most = 100
	if len(name) > most {
		name = name[:most] + "…"
	}
	return fmt.Sprintf("%q", name)
}
