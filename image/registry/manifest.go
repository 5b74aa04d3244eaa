package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/image"
)

// manifestTypes is what a registry is asked for. Docker's schema 1 is not in it: a
// registry that has nothing else sends it all the same, and it is refused by name.
var manifestTypes = []string{
	ocispec.MediaTypeImageIndex,
	ocispec.MediaTypeImageManifest,
	image.DockerIndex,
	image.DockerManifest,
}

// Resolve finds the manifest or index that ref names: by its digest if it has one,
// else by its tag. The bytes are checked against the digest that was asked for and
// the one that the registry gives, and the media type against what they hold.
func (c *Client) Resolve(ctx context.Context, ref image.Reference) (image.Descriptor, []byte, error) {
	var d image.Descriptor
	var raw []byte
	err := c.each(ctx, ref, ref.Digest() != "", func(s *session) error {
		var err error
		d, raw, err = s.manifest(ctx, identifier(ref), image.Descriptor{Digest: ref.Digest(), Size: -1})
		return err
	})
	return d, raw, err
}

// Head is Resolve without the bytes: what a tag stands for now, which costs no pull
// where pulls are counted. The descriptor is the registry's word alone. A registry
// that does not tell the digest, or refuses, gives image.ErrNotFound: an answer
// without a body does not say why, Resolve does.
func (c *Client) Head(ctx context.Context, ref image.Reference) (image.Descriptor, error) {
	var d image.Descriptor
	err := c.each(ctx, ref, ref.Digest() != "", func(s *session) error {
		var err error
		d, err = s.head(ctx, identifier(ref))
		return err
	})
	var refused *Error
	if errors.As(err, &refused) && !retryStatus(refused.Status) {
		return d, errors.Join(image.ErrNotFound, err)
	}
	return d, err
}

// Manifest reads a manifest or index by its descriptor.
func (c *Client) Manifest(ctx context.Context, ref image.Reference, d image.Descriptor) ([]byte, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	if d.Size > image.MaxManifest {
		return nil, fmt.Errorf("manifest %s: %d bytes are above the limit of %d", d.Digest, d.Size, image.MaxManifest)
	}
	var raw []byte
	err := c.each(ctx, ref, true, func(s *session) error {
		var err error
		_, raw, err = s.manifest(ctx, d.Digest.String(), d)
		return err
	})
	return raw, err
}

// identifier is a reference's digest or tag; a name without either means latest.
func identifier(ref image.Reference) string {
	if id := ref.Identifier(); id != "" {
		return id
	}
	return "latest"
}

func (s *session) manifestCall(method, id string) call {
	separator := ":"
	if digest.Digest(id).Validate() == nil {
		separator = "@"
	}
	return call{
		op: "get manifest", object: s.ep.String() + separator + id,
		method: method, path: s.ep.repo + "/manifests/" + id,
		header: http.Header{"Accept": manifestTypes},
		scopes: []string{pullScope(s.ep.repo)},
		want:   []int{http.StatusOK},
	}
}

// manifest reads one. What is wanted is what is known of it before: a digest, a
// size of 0 or more, a media type.
func (s *session) manifest(ctx context.Context, id string, want image.Descriptor) (image.Descriptor, []byte, error) {
	q := s.manifestCall(http.MethodGet, id)
	var got image.Descriptor
	var raw []byte
	err := s.whole(ctx, q, func(resp *http.Response) error {
		var err error
		if raw, err = readAnswer(resp, image.MaxManifest); err != nil {
			return err
		}
		got, err = checkManifest(resp.Header, raw, want)
		return err
	})
	return got, raw, err
}

// whole sends a request and reads its answer, again when it breaks off.
func (s *session) whole(ctx context.Context, q call, read func(*http.Response) error) error {
	for n := 1; ; n++ {
		resp, err := s.send(ctx, q)
		if err != nil {
			return err
		}
		err = read(resp)
		_ = resp.Body.Close() // only read
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s %s: %w", q.op, q.object, err)
		if ctx.Err() != nil || n >= s.c.o.Attempts || !retryError(err) {
			return err
		}
		s.c.o.Notice(fmt.Sprintf("%v; trying again", err))
		if err := s.c.pause(ctx, n, 0); err != nil {
			return err
		}
	}
}

// readAnswer reads an answer of at most limit bytes.
func readAnswer(resp *http.Response, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = bad("the answer is above the limit of %d bytes", limit)
	}
	return raw, err
}

// checkManifest holds the bytes against everything that is said of them.
func checkManifest(h http.Header, raw []byte, want image.Descriptor) (image.Descriptor, error) {
	got := image.Descriptor{Size: int64(len(raw)), Digest: want.Digest}
	if want.Digest != "" && want.Digest.Algorithm().FromBytes(raw) != want.Digest {
		return got, bad("its bytes do not have the digest %s", want.Digest)
	}
	if said := digest.Digest(h.Get("Docker-Content-Digest")); said != "" {
		if err := image.CheckDigest(said); err != nil {
			return got, bad("the registry's %w", err)
		}
		if said.Algorithm().FromBytes(raw) != said {
			return got, bad("its bytes do not have the digest %s that the registry gives them", said)
		}
		if want.Digest != "" && said.Algorithm() == want.Digest.Algorithm() && said != want.Digest {
			return got, bad("the registry gives %s for %s", said, want.Digest)
		}
		if got.Digest == "" {
			got.Digest = said
		}
	}
	if got.Digest == "" {
		got.Digest = digest.FromBytes(raw)
	}
	if want.Size >= 0 && want.Digest != "" && want.Size != got.Size {
		return got, bad("it has %d bytes, its descriptor says %d", got.Size, want.Size)
	}
	said := contentType(h)
	m, err := image.ParseManifest(said, raw)
	if err != nil {
		return got, &badAnswer{err}
	}
	if want.MediaType != "" && want.MediaType != m.MediaType {
		return got, bad("it is a %s, its descriptor says %s", m.MediaType, clean(want.MediaType))
	}
	got.MediaType = m.MediaType
	return got, nil
}

// contentType is the media type that a registry gives, empty if it gives one that
// says nothing: some registries and most plain file servers do.
func contentType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return clean(h.Get("Content-Type"))
	}
	switch t {
	case "application/json", "application/octet-stream", "text/plain", "binary/octet-stream":
		return ""
	}
	return t
}

func (s *session) head(ctx context.Context, id string) (image.Descriptor, error) {
	q := s.manifestCall(http.MethodHead, id)
	resp, err := s.send(ctx, q)
	if err != nil {
		return image.Descriptor{}, err
	}
	drop(resp)
	d := image.Descriptor{MediaType: contentType(resp.Header), Digest: digest.Digest(resp.Header.Get("Docker-Content-Digest")), Size: resp.ContentLength}
	if d.Digest == "" || d.Size < 0 || !slices.Contains(manifestTypes, d.MediaType) {
		return image.Descriptor{}, fmt.Errorf("head manifest %s: the registry does not describe it: %w", q.object, image.ErrNotFound)
	}
	if err := image.CheckDescriptor(d); err != nil {
		return image.Descriptor{}, fmt.Errorf("head manifest %s: %w", q.object, err)
	}
	if want := digest.Digest(id); want.Validate() == nil && want != d.Digest {
		return image.Descriptor{}, bad("head manifest %s: the registry gives %s", q.object, d.Digest)
	}
	return d, nil
}

// errShort says that an answer ended before its time.
var errShort = errors.New("it ends too early")

// rangeHeader names a part of a blob by its first and last byte.
func rangeHeader(offset, n int64) string {
	return "bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+n-1, 10)
}
