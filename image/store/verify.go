package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// Fault is something in the store that is not as it should be.
type Fault struct {
	// Object is what is wrong: a path, or the name of an image.
	Object string `json:"object"`
	// Reason is one clause.
	Reason string `json:"reason"`
	// Blob or Layer is set when removing it, with Repair, is the cure.
	Blob  digest.Digest `json:"blob,omitempty"`
	Layer digest.Digest `json:"layer,omitempty"`
}

func (f Fault) String() string { return f.Object + ": " + f.Reason }

// Verify hashes all content anew and looks whether everything that is named is
// there. It changes nothing. progress, which may be nil, is told the bytes hashed
// so far and in all; it is called from several goroutines.
func (s *Store) Verify(ctx context.Context, progress func(done, total int64)) ([]Fault, error) {
	if s.root == nil {
		return nil, nil
	}
	if !s.options.ReadOnly {
		release, err := s.Use(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	v := &verifier{s: s, progress: progress, broken: map[digest.Digest]bool{}}
	for _, step := range []func(context.Context) error{v.blobs, v.layers, v.names, v.containers} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("verify: %w", err)
		}
	}
	slices.SortFunc(v.faults, func(a, b Fault) int { return strings.Compare(a.Object, b.Object) })
	return v.faults, nil
}

// Repair removes the damaged content and layers of faults, so that they can be
// fetched and unpacked again. It returns how many there were.
func (s *Store) Repair(faults []Fault) (int, error) {
	n := 0
	for _, f := range faults {
		var err error
		switch {
		case f.Blob != "":
			err = s.RemoveBlob(f.Blob)
		case f.Layer != "":
			err = s.removeLayer(f.Layer)
		default:
			continue
		}
		if err != nil && !notExist(err) {
			return n, err
		}
		n++
	}
	return n, nil
}

type verifier struct {
	s           *Store
	progress    func(done, total int64)
	done, total int64

	mu     sync.Mutex
	faults []Fault
	broken map[digest.Digest]bool
}

func (v *verifier) fault(f Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults = append(v.faults, f)
	if f.Blob != "" {
		v.broken[f.Blob] = true
	}
}

func (v *verifier) hashed(n int64) {
	if v.progress == nil {
		return
	}
	v.mu.Lock()
	v.done += n
	done := v.done
	v.mu.Unlock()
	v.progress(done, v.total)
}

// blobs hashes on all CPUs.
func (v *verifier) blobs(ctx context.Context) error {
	var all []digest.Digest
	err := v.s.eachBlob(func(d digest.Digest, size int64) {
		all = append(all, d)
		v.total += size
	}, func(path string) {
		v.fault(Fault{Object: path, Reason: "its name is not a digest"})
	})
	if err != nil {
		return err
	}
	slices.Sort(all)
	next := make(chan digest.Digest)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			buf := make([]byte, 1<<20)
			for d := range next {
				v.blob(ctx, d, buf)
			}
		})
	}
	for _, d := range all {
		next <- d
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (v *verifier) blob(ctx context.Context, d digest.Digest, buf []byte) {
	if ctx.Err() != nil {
		return
	}
	place, err := v.s.blobDir(d)
	if err != nil {
		return // its directory is not there: it was listed from there
	}
	object := place.join(d.Encoded())
	f, _, err := v.s.openBlob(d)
	if errors.Is(err, ErrNotFound) {
		return // removed meanwhile
	}
	if err != nil {
		v.fault(Fault{Object: object, Reason: reason(err, object), Blob: d})
		return
	}
	defer f.Close()
	hash := d.Algorithm().Digester()
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		_, _ = hash.Hash().Write(buf[:n]) // a hash never fails
		v.hashed(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			v.fault(Fault{Object: object, Reason: reason(err, object), Blob: d})
			return
		}
	}
	if got := hash.Digest(); got != d && ctx.Err() == nil {
		v.fault(Fault{Object: object, Reason: "its content has the digest " + got.String(), Blob: d})
	}
}

// reason is the error without the object's name, which the Fault has already.
func reason(err error, object string) string {
	return strings.TrimPrefix(err.Error(), object+": ")
}

func (v *verifier) layers(context.Context) error {
	names, err := v.s.layers.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		object := v.s.layers.join(name)
		chain, ok := chainNamed(name)
		if !ok {
			v.fault(Fault{Object: object, Reason: "its name is not a chain id"})
			continue
		}
		// One that did not survive a crash of the machine is no fault: it counts as
		// absent, and is made again when it is needed.
		_, err := v.s.readMeta(chain)
		var damaged *DamagedError
		switch {
		case err == nil, notExist(err), errors.Is(err, ErrNotFound), errors.Is(err, errTorn):
		case errors.As(err, &damaged):
			v.fault(Fault{Object: object, Reason: reason(err, object), Layer: chain})
		default:
			return err
		}
	}
	return nil
}

func (v *verifier) names(context.Context) error {
	refs, err := v.s.Refs()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range refs {
		if r.Name != "" && seen[r.Name] {
			v.fault(Fault{Object: r.Name, Reason: "the index has the name twice"})
		}
		seen[r.Name] = true
		if _, err := image.ParseReference(r.Name); r.Name != "" && err != nil {
			v.fault(Fault{Object: r.Name, Reason: err.Error()})
		}
		object := r.Name
		if object == "" {
			object = r.Descriptor.Digest.String()
		}
		v.content(object, r.Descriptor, map[digest.Digest]bool{})
	}
	return nil
}

// content looks whether all that is below a manifest or index is there. Of an index
// the manifests that were not fetched may be missing, but not all of them. seen are
// those that were looked at: a hostile index lists the same ones again and again.
func (v *verifier) content(object string, d image.Descriptor, seen map[digest.Digest]bool) {
	if seen[d.Digest] {
		return
	}
	seen[d.Digest] = true
	m, ok := v.manifest(object, d)
	if !ok {
		return
	}
	if m.Image != nil {
		v.needs(object, "configuration", m.Image.Config)
		for _, l := range m.Image.Layers {
			v.needs(object, "layer", l)
		}
		return
	}
	here := false
	for _, child := range m.Index.Manifests {
		if v.s.Has(child.Digest) {
			here = true
			v.content(object, child, seen)
		}
	}
	if !here && len(m.Index.Manifests) > 0 {
		v.fault(Fault{Object: object, Reason: "none of the images of its index is there"})
	}
}

func (v *verifier) manifest(object string, d image.Descriptor) (*image.Manifest, bool) {
	if !v.needs(object, "manifest", d) {
		return nil, false
	}
	m, _, err := v.s.ReadManifest(d)
	if err != nil {
		v.fault(Fault{Object: object, Reason: err.Error()})
		return nil, false
	}
	return m, true
}

// needs reports content that is missing or has another size. What is damaged was
// reported with its own name; it is said here too, since it tells which image
// suffers.
func (v *verifier) needs(object, what string, d image.Descriptor) bool {
	size, err := v.s.Size(d.Digest)
	switch {
	case errors.Is(err, ErrNotFound):
		v.fault(Fault{Object: object, Reason: fmt.Sprintf("its %s %s is missing", what, d.Digest)})
	case err != nil, v.broken[d.Digest]:
		v.fault(Fault{Object: object, Reason: fmt.Sprintf("its %s %s is damaged", what, d.Digest)})
	case size != d.Size:
		v.fault(Fault{Object: object, Reason: fmt.Sprintf("its %s %s has %d bytes, %d were expected", what, d.Digest, size, d.Size)})
	default:
		return true
	}
	return false
}

func (v *verifier) containers(context.Context) error {
	all, skipped, err := v.s.Containers()
	if err != nil {
		return err
	}
	for _, err := range skipped {
		v.fault(Fault{Object: v.s.containers.path, Reason: err.Error()})
	}
	for _, c := range all {
		for _, chain := range c.Layers {
			if _, ok := v.s.LayerMeta(chain); !ok {
				v.fault(Fault{Object: c.Dir, Reason: fmt.Sprintf("its layer %s is missing", chain)})
			}
		}
	}
	return nil
}
