package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"berth/image"
	"berth/image/layer"

	"golang.org/x/sys/unix"
)

const (
	// maxEntries is how many entries an archive of images may have.
	maxEntries = 200_000
	// maxName bounds their names, in bytes: what archives of images have is shorter
	// than a hundred.
	maxName = 1024
	// maxLinks bounds how many links stand behind each other.
	maxLinks = 8
)

// tarFile is an archive in a file that can be read anywhere. Its names are keys of
// a table.
type tarFile struct {
	f     *os.File
	parts map[string]part
}

// part is where a file is, or what a link stands for.
type part struct {
	offset, size int64
	link         string
}

// indexTar reads the headers of an archive. It takes over f.
func indexTar(ctx context.Context, f *os.File) (*tarFile, error) {
	t := &tarFile{f: f, parts: map[string]part{}}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r := tar.NewReader(f)
	for n := 0; ; n++ {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if errors.Is(err, tar.ErrHeader) && n == 0 {
			return nil, errors.New("neither a directory nor a tar archive")
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if n == maxEntries {
			return nil, fmt.Errorf("read archive: more than %d entries", maxEntries)
		}
		if err := t.add(h); err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
	}
}

// add notes one entry. What is neither a file nor a link is of no use and left out.
func (t *tarFile) add(h *tar.Header) error {
	name := strings.TrimPrefix(h.Name, "./")
	if len(name) > maxName {
		return fmt.Errorf("the name %s is above the limit of %d bytes", quote(name), maxName)
	}
	var p part
	switch h.Typeflag {
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return fmt.Errorf("%s is a sparse file", quote(name))
			}
		}
		// The reader takes whole blocks and none ahead: the file stands where the
		// content begins.
		at, err := t.f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		p = part{offset: at, size: h.Size}
	case tar.TypeGNUSparse:
		return fmt.Errorf("%s is a sparse file", quote(name))
	case tar.TypeSymlink:
		// docker before 25 wrote a layer that it had written before as a link.
		p = part{link: path.Join(path.Dir(name), h.Linkname)}
	default:
		return nil
	}
	if _, has := t.parts[name]; has {
		// Two readers would take two of them.
		return fmt.Errorf("%s is in it twice", quote(name))
	}
	// The name may be a part of an extended header, which has up to a megabyte.
	t.parts[strings.Clone(name)] = p
	return nil
}

func (t *tarFile) open(name string) (file, error) {
	for range maxLinks {
		p, ok := t.parts[name]
		if !ok {
			return file{}, &os.PathError{Op: "open", Path: name, Err: unix.ENOENT}
		}
		if p.link == "" {
			return file{io.NewSectionReader(t.f, p.offset, p.size), func() error { return nil }}, nil
		}
		name = p.link
	}
	return file{}, &os.PathError{Op: "open", Path: name, Err: unix.ELOOP}
}

func (t *tarFile) close() error { return t.f.Close() }

// seekable returns an archive as a file that can be read anywhere: the file itself
// if it is a plain one, else a copy without a name, decompressed, below temp. It
// takes over f.
func seekable(ctx context.Context, f *os.File, temp string) (*os.File, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if st.Mode().IsRegular() {
		var head [6]byte
		n, err := f.ReadAt(head[:], 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, errors.Join(err, f.Close())
		}
		if layer.Sniff(head[:n]) == layer.None && !strings.HasPrefix(string(head[:n]), "BZh") {
			return f, nil
		}
	}
	copied, err := spool(ctx, f, temp)
	return copied, errors.Join(err, f.Close())
}

// spool copies a stream to a file without a name.
func spool(ctx context.Context, r io.Reader, temp string) (*os.File, error) {
	plain, err := layer.Decompress("", bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	f, err := nameless(temp)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(f, image.Until(ctx, io.LimitReader(plain, image.MaxBlob+1)))
	if err == nil && n > image.MaxBlob {
		err = fmt.Errorf("it is above the limit of %d bytes", int64(image.MaxBlob))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy archive: %w", err), f.Close())
	}
	return f, nil
}

// nameless makes a file that ends with its last descriptor.
func nameless(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir+"/(archive)"), nil
	}
	// File systems without O_TMPFILE: overlayfs before v6.6, for one.
	f, err := os.CreateTemp(dir, "archive-")
	if err != nil {
		return nil, err
	}
	// gc may have been faster, where dir is the store's.
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
