package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// blobDir returns where a digest's content is; the digest is well-formed.
func (s *Store) blobDir(d digest.Digest) (*dir, error) {
	if err := image.CheckDigest(d); err != nil {
		return nil, err
	}
	place := s.sha256
	if d.Algorithm() == digest.SHA512 {
		place = s.sha512
	}
	if place == nil {
		return nil, fmt.Errorf("blob %s: %w", d, ErrNotFound)
	}
	return place, nil
}

// Has tells whether the store has the content. Its bytes are not looked at.
func (s *Store) Has(d digest.Digest) bool {
	place, err := s.blobDir(d)
	if err != nil {
		return false
	}
	st, err := place.stat(d.Encoded())
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

// Size is how many bytes the content of a digest has; ErrNotFound when it is not
// in the store.
func (s *Store) Size(d digest.Digest) (int64, error) {
	f, size, err := s.openBlob(d)
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}

func (s *Store) openBlob(d digest.Digest) (*os.File, int64, error) {
	place, err := s.blobDir(d)
	if err != nil {
		return nil, 0, err
	}
	f, size, err := place.openRegular(d.Encoded())
	if notExist(err) {
		err = fmt.Errorf("blob %s: %w", d, ErrNotFound)
	}
	return f, size, err
}

// Blob opens content for reading. It has the size of the descriptor; its bytes are
// not verified, for that is done when they are written, and by Verify.
func (s *Store) Blob(d image.Descriptor) (*os.File, error) {
	f, size, err := s.openBlob(d.Digest)
	if err != nil {
		return nil, err
	}
	if size != d.Size {
		_ = f.Close() // it was not read
		return nil, &DamagedError{f.Name(), fmt.Sprintf("it has %d bytes, %d were expected", size, d.Size)}
	}
	return f, nil
}

// ReadBlob returns verified content of at most limit bytes.
func (s *Store) ReadBlob(d image.Descriptor, limit int64) ([]byte, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	if d.Size > limit {
		return nil, fmt.Errorf("blob %s: %d bytes are above the limit of %d", d.Digest, d.Size, limit)
	}
	f, err := s.Blob(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, d.Size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return nil, &DamagedError{f.Name(), "its content has the digest " + got.String()}
	}
	return raw, nil
}

// ReadManifest returns the manifest or index of a descriptor, parsed, and its bytes.
func (s *Store) ReadManifest(d image.Descriptor) (*image.Manifest, []byte, error) {
	raw, err := s.ReadBlob(d, image.MaxManifest)
	if err != nil {
		return nil, nil, err
	}
	m, err := image.ParseManifest(d.MediaType, raw)
	if err != nil {
		return nil, nil, fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return m, raw, nil
}

// ReadConfig returns the configuration of an image, parsed, and its bytes.
func (s *Store) ReadConfig(d image.Descriptor) (*image.Config, []byte, error) {
	raw, err := s.ReadBlob(d, image.MaxManifest)
	if err != nil {
		return nil, nil, err
	}
	c, err := image.ParseConfig(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return c, raw, nil
}

// WriteBlob stores content that is the descriptor's; other content is refused. The
// caller holds Use. Content that is there already is left alone.
func (s *Store) WriteBlob(d image.Descriptor, raw []byte) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := image.CheckDescriptor(d); err != nil {
		return err
	}
	if int64(len(raw)) != d.Size {
		return fmt.Errorf("blob %s: it has %d bytes, %d were expected", d.Digest, len(raw), d.Size)
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return fmt.Errorf("blob %s: its content has the digest %s", d.Digest, got)
	}
	if s.sound(d) {
		return nil
	}
	w, err := s.newBlob(d.Digest.Algorithm())
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, bytes.NewReader(raw)); err != nil {
		return err
	}
	_, err = w.Commit(d.MediaType)
	return err
}

// sound tells whether content is there with its right size.
func (s *Store) sound(d image.Descriptor) bool {
	size, err := s.Size(d.Digest)
	return err == nil && size == d.Size
}

// RemoveBlob removes content at once, whoever needs it: for content that turned
// out to be damaged.
func (s *Store) RemoveBlob(d digest.Digest) error {
	if err := s.writable(); err != nil {
		return err
	}
	place, err := s.blobDir(d)
	if err != nil {
		return err
	}
	return place.remove(d.Encoded())
}

// BlobWriter takes content whose digest is not known before it ends.
type BlobWriter struct {
	s      *Store
	f      *os.File
	name   string
	hash   digest.Digester
	size   int64
	closed bool
}

// NewBlob begins content of unknown digest, which becomes a sha256 one. The caller
// holds Use.
func (s *Store) NewBlob(ctx context.Context) (*BlobWriter, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return s.newBlob(digest.SHA256)
}

func (s *Store) newBlob(alg digest.Algorithm) (*BlobWriter, error) {
	f, name, err := s.tmp.temp("blob-")
	if err != nil {
		return nil, err
	}
	return &BlobWriter{s: s, f: f, name: name, hash: alg.Digester()}, nil
}

// Write appends to the content.
func (w *BlobWriter) Write(p []byte) (int, error) {
	if w.size+int64(len(p)) > image.MaxBlob {
		return 0, fmt.Errorf("blob: it is above the limit of %d bytes", int64(image.MaxBlob))
	}
	n, err := w.f.Write(p)
	_, _ = w.hash.Hash().Write(p[:n]) // a hash never fails
	w.size += int64(n)
	return n, err
}

// Size is how many bytes were written.
func (w *BlobWriter) Size() int64 { return w.size }

// Descriptor says what was written so far.
func (w *BlobWriter) Descriptor(mediaType string) image.Descriptor {
	return image.Descriptor{MediaType: mediaType, Digest: w.hash.Digest(), Size: w.size}
}

// Commit makes the content part of the store and says what it is.
func (w *BlobWriter) Commit(mediaType string) (image.Descriptor, error) {
	return w.Descriptor(mediaType), w.commit(settle)
}

// commitSynced is Commit for content that is on the disk already, and whose name the
// caller syncs.
func (w *BlobWriter) commitSynced() error {
	return w.commit(func(f *os.File, _ *dir, rename func() error) error {
		if err := f.Chmod(0o444); err != nil {
			return err
		}
		return rename()
	})
}

func (w *BlobWriter) commit(settle func(*os.File, *dir, func() error) error) error {
	d := w.Descriptor("")
	if w.closed {
		return os.ErrClosed
	}
	if w.s.sound(d) {
		return w.Close()
	}
	place, err := w.s.blobDir(d.Digest)
	if err != nil {
		return err
	}
	if err := w.s.underQuota(d.Size); err != nil {
		return fmt.Errorf("write blob %s: %w", d.Digest, err)
	}
	if err := settle(w.f, place, func() error { return w.s.tmp.rename(w.name, place, d.Digest.Encoded()) }); err != nil {
		return fmt.Errorf("write blob %s: %w", d.Digest, err)
	}
	w.closed = true
	return w.f.Close()
}

// Close drops what was not committed. It may be called after Commit.
func (w *BlobWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.s.tmp.remove(w.name), w.f.Close())
}

// settle gives finished content its name for good: the data first, then the name,
// then the directory.
func settle(f *os.File, place *dir, rename func() error) error {
	if err := f.Chmod(0o444); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := rename(); err != nil {
		return err
	}
	return place.sync()
}
