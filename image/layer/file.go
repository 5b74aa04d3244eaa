package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"berth/internal/linux"
	"berth/internal/safepath"
	"golang.org/x/sys/unix"
)

// file is what a regular file is given besides its content.
type file struct {
	path     string // for errors
	mode     uint32
	uid, gid int
	times    times
	xattrs   []xattr
}

// blockSize is how much of a large file is read and written at once, in bytes.
const blockSize = 128 << 10

// retries bounds how often a name is cleared that somebody else fills again.
const retries = 8

// makeFile makes a regular file. A small one is only read here, and written by the
// queue.
func (a *applier) makeFile(e *entry, content io.Reader) error {
	dir, err := a.vacate(e)
	if err != nil {
		return err
	}
	if err := a.count(e.Size); err != nil {
		return err
	}
	f := file{path: e.path, mode: e.mode, uid: e.Uid, gid: e.Gid, times: a.current}
	if f.xattrs, err = a.xattrs(e.Header); err != nil {
		return err
	}
	at := place{dir.ino, e.base}
	if e.Size <= smallFile {
		data := takeBuffer(int(e.Size))
		if _, err := io.ReadFull(content, (*data)[:e.Size]); err != nil {
			giveBuffer(data)
			return unexpected(err)
		}
		if err := a.queue.put(job{at: at, dir: dir, file: f, data: data, size: int(e.Size)}); err != nil {
			giveBuffer(data)
			return err
		}
		return nil
	}
	if err := a.queue.settle(at); err != nil {
		return err
	}
	return a.writeLarge(dir, e, f, content)
}

// count adds the content of a file, whose size the archive may claim to be up to
// 2⁶³-1, to the sum.
func (a *applier) count(size int64) error {
	if size > a.limits.Bytes-a.result.Bytes {
		return &LimitError{"bytes of files", a.limits.Bytes}
	}
	a.result.Bytes += size
	return nil
}

// writeFile is what the queue's writers do.
func (a *applier) writeFile(j job) error {
	err := a.writeSmall(&j)
	if err != nil && !safepath.IsRefusal(err) {
		err = fmt.Errorf("apply %s: %w", quote(j.file.path), err)
	}
	return err
}

func (a *applier) writeSmall(j *job) error {
	fd, err := createFile(j.dir.fd, j.at.name, j.file.mode&0o777)
	if err != nil {
		return err
	}
	if err := writeAll(fd, (*j.data)[:j.size]); err != nil {
		_ = unix.Close(fd) // the error of write counts
		return err
	}
	return a.finishFile(fd, j.dir, &j.file)
}

// writeLarge streams a file.
func (a *applier) writeLarge(dir *folder, e *entry, f file, content io.Reader) error {
	fd, err := createFile(dir.fd, e.base, f.mode&0o777)
	if err != nil {
		return err
	}
	if isSparse(e.Header) {
		err = a.writeSparse(fd, content, e.Size)
	} else {
		err = a.writeStream(fd, content, e.Size)
	}
	if err != nil {
		_ = unix.Close(fd) // the first error counts
		return err
	}
	return a.finishFile(fd, dir, &f)
}

// createFile makes a new, empty file.
func createFile(dir int, name string, mode uint32) (fd int, err error) {
	err = replace(dir, name, func() error {
		fd, err = linux.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		return err
	})
	return fd, err
}

// replace makes name with create, which answers EEXIST while something has the name.
// That, but for a directory, is removed; it is never opened, so a link or a hard link
// to elsewhere stays untouched (CVE-2021-32760).
func replace(dir int, name string, create func() error) error {
	for range retries {
		if err := create(); !errors.Is(err, syscall.EEXIST) {
			return err
		}
		if err := unix.Unlinkat(dir, name, 0); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
	}
	return contested(name)
}

func contested(name string) error {
	return &safepath.Refusal{Object: quote(name), Reason: "another process makes it again and again"}
}

// finishFile sets the metadata of a new file and closes it.
//
// Owner before mode: chown(2) clears setuid and setgid, and the file capabilities.
// Times last: writing changes them.
func (a *applier) finishFile(fd int, dir *folder, f *file) error {
	err := a.setMetadata(fd, dir, f)
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	return err
}

func (a *applier) setMetadata(fd int, dir *folder, f *file) error {
	// A new file is the caller's, and its group the caller's or the directory's
	// (setgid, mount option grpid). Each call saved counts with 100,000 files.
	if f.uid != a.euid || f.gid != a.egid || dir.gid != uint32(a.egid) {
		if err := a.chown(fd, f.uid, f.gid); err != nil {
			return err
		}
	}
	if f.mode&(0o7000|a.umask) != 0 || !a.sameMode {
		if err := unix.Fchmod(fd, f.mode); err != nil {
			return err
		}
	}
	if err := setXattrs(fd, f.xattrs); err != nil {
		return err
	}
	return linux.Futimens(fd, f.times.access, f.times.modify)
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// writeStream copies size bytes.
func (a *applier) writeStream(fd int, content io.Reader, size int64) error {
	for size > 0 {
		n, err := io.ReadFull(content, a.block[:min(size, blockSize)])
		if err != nil {
			return unexpected(err)
		}
		if err := writeAll(fd, a.block[:n]); err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// writeSparse copies size bytes and leaves holes where whole pages are zero: the
// archive had them as holes, which its reader returns as zeros. They may be any
// number without a byte of the archive, whose reader asks for the context.
func (a *applier) writeSparse(fd int, content io.Reader, size int64) error {
	const page = 4096
	for offset := int64(0); offset < size; {
		if a.ctx.Err() != nil {
			return context.Cause(a.ctx)
		}
		n, err := io.ReadFull(content, a.block[:min(size-offset, blockSize)])
		if err != nil {
			return unexpected(err)
		}
		for b := a.block[:n]; len(b) > 0; {
			part := b[:min(page, len(b))]
			if !isZero(part) {
				if _, err := unix.Seek(fd, offset, unix.SEEK_SET); err != nil {
					return err
				}
				if err := writeAll(fd, part); err != nil {
					return err
				}
			}
			offset += int64(len(part))
			b = b[len(part):]
		}
	}
	return unix.Ftruncate(fd, size)
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// isSparse tells GNU's old and new formats of files with holes.
func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// unexpected: an archive that ends within a file is broken.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
