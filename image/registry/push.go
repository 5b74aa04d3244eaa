package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"berth/image"
	"berth/image/progress"
)

// Content is where the bytes that are pushed come from; image/store has it.
type Content interface {
	// Blob opens a blob; the caller closes it.
	Blob(d image.Descriptor) (*os.File, error)
	// ReadBlob reads and verifies a small one.
	ReadBlob(d image.Descriptor, limit int64) ([]byte, error)
}

// PushOptions is what to push where.
type PushOptions struct {
	Content Content
	// Ref is the name at the registry: its tag, or its digest without a tag.
	Ref image.Reference
	// Descriptor is the manifest or index. Of an index all manifests are pushed.
	Descriptor image.Descriptor
	// MountFrom names repositories of the same registry that have a blob, which is
	// mounted from there instead of sent; nil: none is known.
	MountFrom func(d digest.Digest) []string
	// Parallel is how many blobs are sent side by side; 0: 4.
	Parallel int
	// Progress may be nil.
	Progress *progress.Display
}

// Push sends an image: its blobs, as far as the registry lacks them, then its
// manifests, and the name last, so that no one ever sees half of it under the name.
func (c *Client) Push(ctx context.Context, o PushOptions) error {
	list, err := c.endpoints(o.Ref, false, true)
	if err != nil {
		return err
	}
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	p := &push{PushOptions: o, s: c.session(list[len(list)-1]), seen: map[digest.Digest]bool{}, listed: map[digest.Digest]bool{}}
	return p.manifest(ctx, o.Descriptor, identifier(o.Ref))
}

// push is one push under way.
type push struct {
	PushOptions
	s    *session
	seen map[digest.Digest]bool // blobs that were sent, or are on their way
	// listed are manifests of indexes.
	listed map[digest.Digest]bool
}

// manifest sends a manifest with all that it names, as id.
func (p *push) manifest(ctx context.Context, d image.Descriptor, id string) error {
	if err := image.CheckDescriptor(d); err != nil {
		return err
	}
	raw, err := p.Content.ReadBlob(d, image.MaxManifest)
	if err != nil {
		return fmt.Errorf("push %s: %w", p.Ref, err)
	}
	m, err := image.ParseManifest(d.MediaType, raw)
	if err != nil {
		return fmt.Errorf("push %s: %w", p.Ref, err)
	}
	if m.Index != nil {
		for _, sub := range m.Index.Manifests {
			if p.listed[sub.Digest] {
				continue // a second time
			}
			p.listed[sub.Digest] = true
			if err := p.manifest(ctx, sub, sub.Digest.String()); err != nil {
				return err
			}
		}
	} else {
		// The configuration last: registries that look into it find its layers.
		if err := p.blobs(ctx, slices.Concat(m.Image.Layers, []image.Descriptor{m.Image.Config})); err != nil {
			return err
		}
	}
	return p.put(ctx, m.MediaType, raw, id)
}

func (p *push) put(ctx context.Context, mediaType string, raw []byte, id string) error {
	q := p.s.manifestCall(http.MethodPut, id)
	q.op = "put manifest"
	q.header = http.Header{"Content-Type": {mediaType}}
	q.body = func() io.ReadCloser { return io.NopCloser(bytes.NewReader(raw)) }
	q.length = int64(len(raw))
	q.scopes = []string{pushScope(p.s.ep.repo)}
	q.want = []int{http.StatusCreated, http.StatusOK, http.StatusAccepted, http.StatusNoContent}
	resp, err := p.s.send(ctx, q)
	if err != nil {
		return err
	}
	drop(resp)
	if said := digest.Digest(resp.Header.Get("Docker-Content-Digest")); said != "" && image.CheckDigest(said) == nil && said.Algorithm().FromBytes(raw) != said {
		return bad("put manifest %s: the registry has stored it as %s", q.object, said)
	}
	return nil
}

// blobs sends what the registry lacks, several side by side. The first error ends
// the others.
func (p *push) blobs(ctx context.Context, list []image.Descriptor) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, p.Parallel)
	for _, d := range list {
		if p.seen[d.Digest] {
			continue
		}
		p.seen[d.Digest] = true
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := p.blob(ctx, d); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// blob sends one blob, with a task that shows it.
func (p *push) blob(ctx context.Context, d image.Descriptor) error {
	t := p.Progress.Task(d.Digest.String(), short(d.Digest), d.Size)
	note, err := p.deliver(ctx, d, t)
	switch {
	case err != nil && ctx.Err() != nil:
		t.Done("stopped") // by the error of another one
	case err != nil:
		t.Fail(err)
	default:
		t.Done(note)
	}
	return err
}

// deliver gets a blob to the registry in the cheapest way; it returns which.
func (p *push) deliver(ctx context.Context, d image.Descriptor, t *progress.Task) (string, error) {
	t.Phase("checking")
	there, err := p.s.hasBlob(ctx, d)
	if err != nil {
		return "", err
	}
	if there {
		return "exists", nil
	}
	var session *location
	if p.MountFrom != nil {
		for _, from := range p.MountFrom(d.Digest) {
			if from == p.s.ep.repo {
				continue
			}
			var mounted bool
			if session, mounted, err = p.s.mount(ctx, d, from); mounted || err != nil {
				return "mounted", err
			}
			break // a second refusal would be no other
		}
	}
	file, err := p.Content.Blob(d)
	if err != nil {
		if image.IsForeign(d.MediaType) {
			return "foreign, not sent", nil
		}
		return "", fmt.Errorf("push %s: %w", p.Ref, err)
	}
	defer file.Close() // only read
	t.Phase("uploading")
	u := &upload{s: p.s, d: d, file: file, at: session, t: t, chunk: p.s.c.o.ChunkSize}
	return "pushed", u.run(ctx)
}

// hasBlob asks whether a blob is there.
func (s *session) hasBlob(ctx context.Context, d image.Descriptor) (bool, error) {
	resp, err := s.send(ctx, call{
		op: "check blob", object: s.ep.String() + "@" + d.Digest.String(),
		method: http.MethodHead, path: s.ep.repo + "/blobs/" + d.Digest.String(),
		scopes: []string{pushScope(s.ep.repo)}, want: []int{http.StatusOK, http.StatusNotFound},
	})
	if err != nil {
		return false, err
	}
	drop(resp)
	return resp.StatusCode == http.StatusOK && (resp.ContentLength < 0 || resp.ContentLength == d.Size), nil
}

// mount asks the registry to take a blob from another of its repositories. If it
// does not, it has begun an upload instead, whose place is returned.
func (s *session) mount(ctx context.Context, d image.Descriptor, from string) (*location, bool, error) {
	q := s.uploadCall(d)
	q.op = "mount blob"
	q.query.Set("mount", d.Digest.String())
	q.query.Set("from", from)
	q.scopes = append(q.scopes, pullScope(from))
	q.want = []int{http.StatusCreated, http.StatusAccepted}
	resp, err := s.send(ctx, q)
	if errors.Is(err, ErrDenied) || errors.Is(err, image.ErrNotFound) {
		return nil, false, nil // the other repository is not ours: send the blob
	}
	if err != nil {
		return nil, false, err
	}
	drop(resp)
	if resp.StatusCode == http.StatusCreated {
		return nil, true, nil
	}
	at, err := s.location(resp)
	return at, false, err
}

// short is how a blob is called where people read.
func short(d digest.Digest) string {
	hex := d.Encoded()
	return hex[:min(12, len(hex))]
}
