package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// Options say how an archive is opened.
type Options struct {
	// Temp is a directory for the copy of an archive that is compressed or comes
	// through a pipe; empty: $TMPDIR or /tmp.
	Temp string
}

// Entry is an image of an archive, or an index of images.
type Entry struct {
	// Name is what the archive calls it; the zero value when it has no name.
	Name image.Reference
	// Tag is the name as the archive writes it, also when it is no full name.
	Tag        string
	Descriptor image.Descriptor
}

// Archive is an open layout or archive, and a Source of images.
type Archive struct {
	path    string
	fs      files
	entries []Entry
	// names are the entries by their full names.
	names map[string]int
	// made are manifests that docker's archives do not have, by their digest.
	made map[digest.Digest][]byte
	// where are the files of blobs that are not named after their digest.
	where map[digest.Digest]string
	// hashed are the digests of files that were read for them: images share layers.
	hashed map[string]digest.Digest
}

// Open opens a layout, which is a directory, or an archive, which is a file or
// pipe. What it is tells its content. The caller closes it.
func Open(ctx context.Context, path string, o Options) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(ctx, f, o)
}

// OpenFile is Open for a file that is open, which may be a pipe; it takes it over.
func OpenFile(ctx context.Context, f *os.File, o Options) (*Archive, error) {
	a := newArchive(f.Name())
	if err := a.open(ctx, f, o); err != nil {
		return nil, fmt.Errorf("open %s: %w", a.path, err)
	}
	if err := a.readEntries(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", a.path, err), a.Close())
	}
	return a, nil
}

func newArchive(path string) *Archive {
	return &Archive{path: path, names: map[string]int{}, made: map[digest.Digest][]byte{}, where: map[digest.Digest]string{}, hashed: map[string]digest.Digest{}}
}

func (a *Archive) open(ctx context.Context, f *os.File, o Options) error {
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if st.IsDir() {
		a.fs = directory{f}
		return nil
	}
	f, err = seekable(ctx, f, o.Temp)
	if err != nil {
		return err
	}
	t, err := indexTar(ctx, f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	a.fs = t
	return nil
}

// readEntries tells a layout from docker's archive. docker has written archives that
// are both, since its version 25; the layout says more.
func (a *Archive) readEntries(ctx context.Context) error {
	err := a.readLayout()
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err = a.readDocker(ctx)
	if errors.Is(err, errNoManifest) {
		return errors.New("it is neither an OCI layout (no oci-layout and index.json) nor an archive of docker (no manifest.json)")
	}
	return err
}

// add takes an entry up; an archive says of a name once what it is.
func (a *Archive) add(e Entry) error {
	if !e.Name.IsZero() {
		name := e.Name.String()
		if _, twice := a.names[name]; twice {
			return fmt.Errorf("two images are called %s", name)
		}
		a.names[name] = len(a.entries)
	}
	a.entries = append(a.entries, e)
	return nil
}

// Entries are the images in the order of the archive.
func (a *Archive) Entries() []Entry { return a.entries }

// Close gives the archive up.
func (a *Archive) Close() error { return a.fs.close() }

// Resolve finds an image by its full name, or by its digest; the zero reference
// means the only image there is.
func (a *Archive) Resolve(_ context.Context, ref image.Reference) (image.Descriptor, []byte, error) {
	e, err := a.Find(ref)
	if err != nil {
		return image.Descriptor{}, nil, err
	}
	raw, err := a.manifest(e.Descriptor)
	return e.Descriptor, raw, err
}

// Find returns the entry that Resolve takes.
func (a *Archive) Find(ref image.Reference) (Entry, error) {
	if ref.IsZero() {
		if len(a.entries) == 1 {
			return a.entries[0], nil
		}
		return Entry{}, fmt.Errorf("%s: it has %d images; say which", a.path, len(a.entries))
	}
	if i, ok := a.names[ref.String()]; ok {
		return a.entries[i], nil
	}
	for _, e := range a.entries {
		if d := ref.Digest(); d != "" && e.Descriptor.Digest == d {
			return e, nil
		}
	}
	return Entry{}, fmt.Errorf("image %s: %w in %s", ref.Familiar(), image.ErrNotFound, a.path)
}

// FindTag returns the entry with a name as the archive writes it, or as it is
// written in full; "" means the only image there is.
func (a *Archive) FindTag(tag string) (Entry, error) {
	if tag == "" {
		return a.Find(image.Reference{})
	}
	for _, e := range a.entries {
		if e.Tag == tag {
			return e, nil
		}
	}
	ref, err := image.ParseReference(tag)
	if err != nil {
		return Entry{}, err
	}
	return a.Find(ref)
}

// Manifest returns a verified manifest or index.
func (a *Archive) Manifest(_ context.Context, _ image.Reference, d image.Descriptor) ([]byte, error) {
	return a.manifest(d)
}

func (a *Archive) manifest(d image.Descriptor) ([]byte, error) {
	if raw, ok := a.made[d.Digest]; ok {
		return raw, nil
	}
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	raw, err := read(a.fs, a.blobName(d.Digest), image.MaxManifest)
	if err != nil {
		return nil, a.missing(d, err)
	}
	if int64(len(raw)) != d.Size {
		return nil, fmt.Errorf("blob %s: it has %d bytes, %d were expected", d.Digest, len(raw), d.Size)
	}
	if got := d.Digest.Algorithm().FromBytes(raw); got != d.Digest {
		return nil, fmt.Errorf("blob %s: its content has the digest %s", d.Digest, got)
	}
	return raw, nil
}

// blobName is the file of a blob; the digest was checked.
func (a *Archive) blobName(d digest.Digest) string {
	if name, ok := a.where[d]; ok {
		return name
	}
	return "blobs/" + d.Algorithm().String() + "/" + d.Encoded()
}

func (a *Archive) missing(d image.Descriptor, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		err = image.ErrNotFound
	}
	return fmt.Errorf("blob %s in %s: %w", d.Digest, a.path, err)
}

// Blob opens a blob at an offset.
func (a *Archive) Blob(_ context.Context, _ image.Reference, d image.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := a.blob(d)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// BlobRange is ErrNoRange: a file is read as fast from its beginning to its end.
func (a *Archive) BlobRange(context.Context, image.Reference, image.Descriptor, int64, int64) (io.ReadCloser, error) {
	return nil, image.ErrNoRange
}

func (a *Archive) blob(d image.Descriptor) (file, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return file{}, err
	}
	f, err := a.fs.open(a.blobName(d.Digest))
	if err != nil {
		return file{}, a.missing(d, err)
	}
	if f.Size() != d.Size {
		return file{}, errors.Join(fmt.Errorf("blob %s: it has %d bytes, %d were expected", d.Digest, f.Size(), d.Size), f.Close())
	}
	return f, nil
}

// Has tells whether the archive has a blob.
func (a *Archive) Has(d image.Descriptor) bool {
	if _, ok := a.made[d.Digest]; ok {
		return true
	}
	f, err := a.blob(d)
	if err != nil {
		return false
	}
	_ = f.Close() // it was not read
	return true
}
