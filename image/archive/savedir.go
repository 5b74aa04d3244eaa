package archive

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"berth/image"
	"berth/image/store"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// SaveDir writes images of the store as an OCI layout into a directory. One that
// holds a layout already keeps its images, but for those of the same names.
func SaveDir(ctx context.Context, dir string, s *store.Store, items []Item, o SaveOptions) error {
	o.Docker = false
	p, err := newPlan(s, items, o)
	if err != nil {
		return err
	}
	if err := p.saveDir(ctx, dir); err != nil {
		return fmt.Errorf("save to %s: %w", dir, err)
	}
	return nil
}

func (p *plan) saveDir(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := p.keepOthers(dir); err != nil {
		return err
	}
	for _, d := range p.blobs {
		name := filepath.Join(dir, filepath.FromSlash(blobFile(d.Digest)))
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() && st.Size() == d.Size {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		err := Replace(name, func(f io.Writer) error { return copyBlob(ctx, f, p.s, d) })
		if err != nil {
			return err
		}
	}
	small, err := p.small()
	if err != nil {
		return err
	}
	for _, f := range small {
		err := Replace(filepath.Join(dir, f.name), func(w io.Writer) error {
			_, err := w.Write(f.raw)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keepOthers puts the images of a layout that is there into the new index.
func (p *plan) keepOthers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, ocispec.ImageLayoutFile)); err != nil {
		return errors.New("the directory is not empty and holds no OCI layout")
	}
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	a := newArchive(dir)
	a.fs = directory{root}
	defer a.Close()
	if err := a.readLayout(); err != nil {
		return err
	}
	raw, err := read(a.fs, ocispec.ImageIndexFile, maxJSON)
	if err != nil {
		return err
	}
	var old ocispec.Index
	if err := json.Unmarshal(raw, &old); err != nil {
		return fmt.Errorf("read %s: %w", ocispec.ImageIndexFile, err)
	}
	kept := slices.DeleteFunc(old.Manifests, func(d image.Descriptor) bool {
		return slices.ContainsFunc(p.index.Manifests, func(n image.Descriptor) bool {
			name := n.Annotations[ocispec.AnnotationRefName]
			return name == d.Annotations[ocispec.AnnotationRefName] && (name != "" || n.Digest == d.Digest)
		})
	})
	old.Manifests = slices.Concat(kept, p.index.Manifests)
	old.SchemaVersion = 2
	p.index = old
	return nil
}

// Replace writes a file under another name first, so that a reader sees the old or
// the new content whole: also for archives that get a name. Who may read it is for the
// umask to say: an archive can hold the passwords of a container.
func Replace(name string, fill func(io.Writer) error) (err error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(name), ".berth-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
