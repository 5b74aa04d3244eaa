package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Ingest is content of a known digest that is being fetched. Several writers may
// put parts of it anywhere; readers follow the part that is there from the
// beginning on. It survives Close and the end of the process: the next Ingest of
// the digest goes on where this one stopped.
//
// The file is as long as what is there without a gap. How much that is stands in a
// file of its own, since with several writers the length does not tell. After a
// crash of the machine the bytes may be wrong; whoever reads them verifies them
// from the first on, and calls Discard.
type Ingest struct {
	s    *Store
	d    image.Descriptor
	name string
	f    *os.File // locked
	mark *os.File
	stop func() bool

	mu   sync.Mutex
	more sync.Cond
	have int64  // bytes from the beginning on
	far  []span // parts beyond a gap, ordered, not touching
	err  error  // what ended it, for readers
	done bool   // committed, discarded or closed
}

type span struct{ from, to int64 }

// Ingest begins or resumes the fetch of content. ErrExists when the store has it.
// Another process that fetches the same is waited for. The caller holds Use. When
// ctx ends, readers and writers get its error.
func (s *Store) Ingest(ctx context.Context, d image.Descriptor) (*Ingest, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	name := ingestName(d.Digest)
	for {
		if s.sound(d) {
			return nil, fmt.Errorf("blob %s: %w", d.Digest, ErrExists)
		}
		f, err := s.ingest.open(name, unix.O_RDWR|unix.O_CREAT, 0o600)
		if err != nil {
			return nil, err
		}
		var in *Ingest
		err = s.lockMade(ctx, s.ingest, name, f, "fetch "+d.Digest.String())
		switch {
		case err != nil:
		case s.sound(d):
			// Another has just committed it, which freed the name for this new file.
			err = s.forget(name)
		default:
			in, err = s.resume(ctx, d, name, f)
		}
		if in != nil {
			return in, nil
		}
		err = errors.Join(err, f.Close())
		if err != nil && !errors.Is(err, errMoved) {
			return nil, fmt.Errorf("fetch %s: %w", d.Digest, err)
		}
	}
}

// forget removes a partial file, whose lock the caller holds, and its mark, which
// whoever has committed the content removes as well.
func (s *Store) forget(name string) error {
	return errors.Join(s.removeMark(name), s.ingest.remove(name))
}

func (s *Store) removeMark(name string) error {
	if err := s.ingest.remove(name + markSuffix); err != nil && !notExist(err) {
		return err
	}
	return nil
}

func ingestName(d digest.Digest) string { return d.Algorithm().String() + "-" + d.Encoded() }

// markSuffix names the file that says how many bytes are there: 8 bytes, little endian.
const markSuffix = ".have"

func (s *Store) resume(ctx context.Context, d image.Descriptor, name string, f *os.File) (*Ingest, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &DamagedError{f.Name(), "is not a regular file"}
	}
	mark, err := s.ingest.open(name+markSuffix, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	in := &Ingest{s: s, d: d, name: name, f: f, mark: mark}
	in.more.L = &in.mu
	var raw [8]byte
	if n, err := mark.ReadAt(raw[:], 0); n == len(raw) && err == nil {
		in.have = int64(min(binary.LittleEndian.Uint64(raw[:]), uint64(st.Size()), uint64(d.Size)))
	}
	if err = f.Truncate(in.have); err == nil {
		err = s.room(d.Size - in.have)
	}
	if err != nil {
		return nil, errors.Join(err, mark.Close())
	}
	in.stop = context.AfterFunc(ctx, func() { in.Fail(context.Cause(ctx)) })
	return in, nil
}

// Descriptor is what is being fetched.
func (in *Ingest) Descriptor() image.Descriptor { return in.d }

// Have is how many bytes are there, from the beginning on.
func (in *Ingest) Have() int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.have
}

// WriteAt puts a part of the content in its place, in any order; readers see it as
// soon as nothing is missing before it. Bytes beyond the size of the content are
// refused. Those that readers may have seen stay as they are: others in their place
// would be in the store and verified by nobody.
func (in *Ingest) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > in.d.Size || int64(len(p)) > in.d.Size-off {
		return 0, fmt.Errorf("fetch %s: the source sends more than the %d bytes that were announced", in.d.Digest, in.d.Size)
	}
	if err := in.ended(); err != nil {
		return 0, err
	}
	seen := int(max(0, min(in.Have()-off, int64(len(p)))))
	n, err := in.f.WriteAt(p[seen:], off+int64(seen))
	n += seen
	if err != nil {
		in.Fail(err)
		return n, err
	}
	return n, in.add(span{off, off + int64(n)})
}

// Write puts p behind what is there: for a single writer.
func (in *Ingest) Write(p []byte) (int, error) { return in.WriteAt(p, in.Have()) }

func (in *Ingest) ended() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return in.err
	}
	if in.done {
		return os.ErrClosed
	}
	return nil
}

// add takes note of a part and wakes readers when it closes the first gap.
func (in *Ingest) add(part span) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.far = insert(in.far, part)
	if len(in.far) == 0 || in.far[0].from > in.have {
		return nil
	}
	before := in.have
	in.have = max(in.have, in.far[0].to)
	in.far = in.far[1:]
	if in.have == before {
		return nil
	}
	in.more.Broadcast()
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(in.have))
	_, err := in.mark.WriteAt(raw[:], 0)
	return err
}

// insert puts a span into an ordered list and merges those that touch.
func insert(list []span, part span) []span {
	var out []span
	for i, s := range list {
		switch {
		case s.to < part.from:
			out = append(out, s)
		case part.to < s.from:
			return append(append(out, part), list[i:]...)
		default:
			part = span{min(s.from, part.from), max(s.to, part.to)}
		}
	}
	return append(out, part)
}

// Fail ends the fetch: readers that wait, and later writers, get err. What is there
// stays. The first error counts.
func (in *Ingest) Fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil && !in.done {
		in.err = err
	}
	in.more.Broadcast()
}

// Commit makes the content part of the store. verified is the digest that the
// caller computed while it read all of it; it must be the one announced, or the
// partial file is removed. The Ingest is closed.
func (in *Ingest) Commit(verified digest.Digest) error {
	if err := in.ended(); err != nil {
		return err
	}
	if verified != in.d.Digest {
		return errors.Join(
			fmt.Errorf("blob %s: its content has the digest %s", in.d.Digest, verified),
			in.Discard())
	}
	if have := in.Have(); have != in.d.Size {
		return fmt.Errorf("blob %s: it has %d bytes, %d were expected", in.d.Digest, have, in.d.Size)
	}
	place, err := in.s.blobDir(in.d.Digest)
	if err != nil {
		return err
	}
	err = settle(in.f, place, func() error { return in.s.ingest.rename(in.name, place, in.d.Digest.Encoded()) })
	if err != nil {
		return errors.Join(fmt.Errorf("write blob %s: %w", in.d.Digest, err), in.Close())
	}
	// The name is free since the rename, but whoever takes it finds the blob and makes
	// no mark of its own.
	return errors.Join(in.s.removeMark(in.name), in.Close())
}

// Discard removes what was fetched, for content that turned out to be wrong, and
// closes the Ingest.
func (in *Ingest) Discard() error {
	if in.closing() {
		return nil
	}
	return errors.Join(
		in.s.forget(in.name),
		in.mark.Close(), in.f.Close())
}

// Close keeps what was fetched for another time and gives up the lock. Readers
// that wait get os.ErrClosed. It may be called after Commit and Discard.
func (in *Ingest) Close() error {
	if in.closing() {
		return nil
	}
	return errors.Join(in.mark.Close(), in.f.Close())
}

// closing marks the Ingest as done; true when it was before.
func (in *Ingest) closing() bool {
	in.stop()
	in.mu.Lock()
	defer in.mu.Unlock()
	was := in.done
	in.done = true
	if in.err == nil {
		in.err = os.ErrClosed
	}
	in.more.Broadcast()
	return was
}
