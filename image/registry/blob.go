package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"berth/image"
)

// enough is how many bytes a stream must bring for a broken one to be no failed
// attempt. Less would let a server keep a client for ever, byte by byte.
const enough = 64 << 10

// Blob opens a blob from offset to its end. Its reader reads exactly the bytes that
// the descriptor's size promises: a stream that breaks is taken up where it broke.
func (c *Client) Blob(ctx context.Context, ref image.Reference, d image.Descriptor, offset int64) (io.ReadCloser, error) {
	return c.blob(ctx, ref, d, offset, d.Size-offset)
}

// BlobRange opens n bytes of a blob from offset on, or returns image.ErrNoRange.
func (c *Client) BlobRange(ctx context.Context, ref image.Reference, d image.Descriptor, offset, n int64) (io.ReadCloser, error) {
	return c.blob(ctx, ref, d, offset, n)
}

func (c *Client) blob(ctx context.Context, ref image.Reference, d image.Descriptor, offset, n int64) (io.ReadCloser, error) {
	if err := image.CheckDescriptor(d); err != nil {
		return nil, err
	}
	if offset < 0 || n < 0 || offset > d.Size-n {
		return nil, fmt.Errorf("blob %s: bytes %d to %d are outside of its %d", d.Digest, offset, offset+n, d.Size)
	}
	if n == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	b := &blobReader{c: c, ctx: ctx, ref: ref, d: d, offset: offset, left: n}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// blobReader reads part of a blob over as many answers as it takes.
type blobReader struct {
	c   *Client
	ctx context.Context
	ref image.Reference
	d   image.Descriptor

	offset int64 // of the next byte to return
	left   int64 // bytes to return

	body   io.ReadCloser
	since  int64 // bytes since the stream was opened
	failed int   // attempts without progress
	opened bool  // a stream was open before: the server need not know ranges now
}

// Read reads on, over broken streams.
func (b *blobReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	for {
		if b.body == nil {
			if err := b.open(); err != nil {
				return 0, err
			}
		}
		n, err := b.body.Read(p)
		b.offset += int64(n)
		b.left -= int64(n)
		b.since += int64(n)
		if b.left == 0 {
			return n, io.EOF
		}
		if err == nil {
			return n, nil
		}
		if err := b.broken(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// broken closes a stream that has ended too early, and waits before the next one.
func (b *blobReader) broken(err error) error {
	if err == io.EOF {
		err = errShort
	}
	err = fmt.Errorf("get blob %s@%s: at byte %d: %w", b.ref.Name(), b.d.Digest, b.offset, err)
	_ = b.body.Close() // it is broken already
	b.body = nil
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if b.since >= enough {
		b.failed = 0
	}
	b.failed++
	if b.failed >= b.c.o.Attempts || !retryError(err) {
		return err
	}
	b.c.o.Notice(fmt.Sprintf("%v; going on", err))
	return b.c.pause(b.ctx, b.failed, 0)
}

// Close ends the stream.
func (b *blobReader) Close() error {
	b.left = 0
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}

// open asks for what is left, at the first place that has it. The URLs that a
// descriptor of a foreign layer may have are not asked: they are whatever the author
// of the image wants this machine to connect to (CVE-2020-15157).
func (b *blobReader) open() error {
	err := b.c.each(b.ctx, b.ref, true, func(s *session) error {
		resp, err := s.send(b.ctx, b.call(s))
		if err != nil {
			return err
		}
		return b.take(resp)
	})
	if err == nil {
		b.since = 0
		b.opened = true
	}
	return err
}

func (b *blobReader) call(s *session) call {
	return call{
		op: "get blob", object: s.ep.String() + "@" + b.d.Digest.String(),
		method: http.MethodGet, path: s.ep.repo + "/blobs/" + b.d.Digest.String(),
		header: b.header(),
		scopes: []string{pullScope(s.ep.repo)},
		want:   []int{http.StatusOK, http.StatusPartialContent},
	}
}

func (b *blobReader) header() http.Header {
	h := http.Header{"Accept": {"*/*"}}
	if b.offset > 0 || b.left < b.d.Size {
		h.Set("Range", rangeHeader(b.offset, b.left))
	}
	return h
}

// take checks an answer and makes it the stream.
func (b *blobReader) take(resp *http.Response) error {
	err := b.fit(resp)
	if err != nil {
		_ = resp.Body.Close() // only read
		if errors.Is(err, image.ErrNoRange) {
			return err
		}
		return fmt.Errorf("get blob %s@%s: %w", b.ref.Name(), b.d.Digest, err)
	}
	b.body = resp.Body
	return nil
}

func (b *blobReader) fit(resp *http.Response) error {
	if resp.StatusCode == http.StatusPartialContent {
		return b.fitRange(resp)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != b.d.Size {
		return bad("it has %d bytes, its descriptor says %d", resp.ContentLength, b.d.Size)
	}
	if b.offset == 0 {
		if b.left < b.d.Size && !b.opened {
			return image.ErrNoRange
		}
		return nil
	}
	if !b.opened {
		return image.ErrNoRange
	}
	// The server has no ranges, and the stream broke: what is known already is
	// read again.
	_, err := io.CopyN(io.Discard, resp.Body, b.offset)
	return err
}

func (b *blobReader) fitRange(resp *http.Response) error {
	text, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes ")
	span, total, ok2 := strings.Cut(text, "/")
	from, to, ok3 := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if !ok || !ok2 || !ok3 || err1 != nil || err2 != nil {
		return bad("range %q cannot be read", clean(resp.Header.Get("Content-Range")))
	}
	if size := strconv.FormatInt(b.d.Size, 10); total != "*" && total != size {
		return bad("it has %s bytes, its descriptor says %s", clean(total), size)
	}
	// A shorter range than the one asked for is allowed; the reader asks on.
	if first != b.offset || last < first || last >= b.offset+b.left {
		return bad("bytes %d to %d were asked for, the registry sends %d to %d", b.offset, b.offset+b.left-1, first, last)
	}
	return nil
}
