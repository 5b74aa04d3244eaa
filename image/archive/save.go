package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"berth/image"
	"berth/image/store"
)

// Save writes images of the store as a tar archive: an OCI layout, with
// SaveOptions.Docker one that every docker and podman loads, too. The same images
// give the same bytes. The content is verified while it is written.
func Save(ctx context.Context, w io.Writer, s *store.Store, items []Item, o SaveOptions) error {
	p, err := newPlan(s, items, o)
	if err != nil {
		return err
	}
	small, err := p.small()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	t := tar.NewWriter(out)
	for _, dir := range p.directories() {
		if err := t.WriteHeader(header(dir, tar.TypeDir, 0)); err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	blobs := slices.Clone(p.blobs)
	slices.SortFunc(blobs, func(a, b image.Descriptor) int {
		return strings.Compare(blobFile(a.Digest), blobFile(b.Digest))
	})
	for _, d := range blobs {
		if err := t.WriteHeader(header(blobFile(d.Digest), tar.TypeReg, d.Size)); err != nil {
			return fmt.Errorf("save: %w", err)
		}
		if err := copyBlob(ctx, t, s, d); err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	for _, f := range small {
		err := t.WriteHeader(header(f.name, tar.TypeReg, int64(len(f.raw))))
		if err == nil {
			_, err = t.Write(f.raw)
		}
		if err != nil {
			return fmt.Errorf("save: %w", err)
		}
	}
	if err := errors.Join(t.Close(), out.Flush()); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}

// directories are those of the blobs.
func (p *plan) directories() []string {
	dirs := []string{"blobs/"}
	for _, d := range p.blobs {
		if dir := "blobs/" + d.Digest.Algorithm().String() + "/"; !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// header is an entry that depends on its content alone.
func header(name string, kind byte, size int64) *tar.Header {
	h := &tar.Header{Name: name, Typeflag: kind, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if kind == tar.TypeDir {
		h.Mode = 0o755
	}
	if size > 8<<30-1 {
		h.Format = tar.FormatGNU // what ustar's eleven octal digits hold
	}
	return h
}

// copyBlob copies content of the store and verifies it.
func copyBlob(ctx context.Context, w io.Writer, s *store.Store, d image.Descriptor) error {
	f, err := s.Blob(d)
	if err != nil {
		return err
	}
	defer f.Close()
	verifier := d.Digest.Verifier()
	if _, err := io.Copy(io.MultiWriter(w, verifier), image.Until(ctx, f)); err != nil {
		return err
	}
	if !verifier.Verified() {
		return fmt.Errorf("blob %s: it is damaged in the store; 'berth verify --repair' removes it, then pull the image again", d.Digest)
	}
	return nil
}
