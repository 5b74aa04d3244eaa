package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"berth/image"
	"berth/image/progress"
)

// repairChunk is the size of the parts of an upload that has broken before.
const repairChunk = 16 << 20

// location is where an upload goes on, and how small its parts may be.
type location struct {
	url      *url.URL
	minChunk int64
}

// upload sends one blob. First in one piece, which costs the least requests; when
// that breaks, in parts, each from where the registry says it stands (distribution
// specification, "Pushing a blob in chunks").
type upload struct {
	s     *session
	d     image.Descriptor
	file  *os.File
	at    *location // nil: none was begun
	t     *progress.Task
	chunk int64 // 0: in one piece

	sent int64 // bytes that the registry has
}

func (u *upload) run(ctx context.Context) error {
	for n := 1; ; n++ {
		before := u.sent
		err := u.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var refused *Error
		again := errors.As(err, &refused) && staleUpload(refused.Status) || retryError(err)
		if u.sent-before >= progressOf(u.d) {
			n = 1
		}
		if !again || n >= u.s.c.o.Attempts {
			return err
		}
		after := time.Duration(0)
		if refused != nil {
			after = refused.after
		}
		if after > u.s.c.o.MaxWait {
			return tooLong(err, after)
		}
		u.s.c.o.Notice(fmt.Sprintf("%v; going on", err))
		if err := u.s.c.pause(ctx, n, after); err != nil {
			return err
		}
		if u.chunk == 0 {
			u.chunk = repairChunk
		}
		u.where(ctx)
	}
}

// progressOf is how much of a blob must arrive for an attempt to be no failed one.
func progressOf(d image.Descriptor) int64 { return max(min(1<<20, d.Size/4), 1) }

// staleUpload tells refusals of an upload that a new one may mend: the registry has
// forgotten it, or counts its bytes otherwise.
func staleUpload(status int) bool {
	return status == http.StatusNotFound || status == http.StatusRequestedRangeNotSatisfiable
}

// attempt begins an upload if there is none, and sends what is missing.
func (u *upload) attempt(ctx context.Context) error {
	if u.at == nil {
		u.count(0)
		if err := u.begin(ctx); err != nil {
			return err
		}
	}
	if u.chunk == 0 {
		return u.finish(ctx, u.body(0, u.d.Size), u.d.Size)
	}
	size := max(u.chunk, u.at.minChunk)
	for u.sent < u.d.Size {
		if err := u.part(ctx, min(size, u.d.Size-u.sent)); err != nil {
			return err
		}
	}
	return u.finish(ctx, nil, 0)
}

func (u *upload) begin(ctx context.Context) error {
	resp, err := u.s.send(ctx, u.s.uploadCall(u.d))
	if err != nil {
		return err
	}
	drop(resp)
	u.at, err = u.s.location(resp)
	return err
}

// uploadCall begins an upload.
func (s *session) uploadCall(d image.Descriptor) call {
	return call{
		op: "upload blob", object: s.ep.String() + "@" + d.Digest.String(),
		method: http.MethodPost, path: s.ep.repo + "/blobs/uploads/", query: url.Values{},
		body:   func() io.ReadCloser { return http.NoBody },
		scopes: []string{pushScope(s.ep.repo)}, want: []int{http.StatusAccepted},
	}
}

// location reads where an upload goes on. A registry behind a proxy that ends TLS
// may call itself http: it is still asked over https.
func (s *session) location(resp *http.Response) (*location, error) {
	u, err := resp.Location()
	if err != nil {
		return nil, bad("upload to %s: the registry does not say where to", s.ep)
	}
	s.mu.Lock()
	scheme := s.scheme
	s.mu.Unlock()
	if u.Host == s.ep.host {
		u.Scheme = scheme
	}
	if u.Scheme != scheme && u.Scheme != "https" || u.User != nil {
		return nil, bad("upload to %s: the registry sends it to %s", s.ep, clean(u.Redacted()))
	}
	at := &location{url: u}
	if n, err := strconv.ParseInt(resp.Header.Get("OCI-Chunk-Min-Length"), 10, 64); err == nil && n > 0 && n <= 1<<30 {
		at.minChunk = n
	}
	return at, nil
}

// part sends the next n bytes.
func (u *upload) part(ctx context.Context, n int64) error {
	q := u.s.uploadCall(u.d)
	q.method, q.url, q.once = http.MethodPatch, u.at.url, true
	q.header = http.Header{
		"Content-Type":  {"application/octet-stream"},
		"Content-Range": {fmt.Sprintf("%d-%d", u.sent, u.sent+n-1)},
	}
	q.body, q.length = u.body(u.sent, n), n
	q.want = []int{http.StatusAccepted, http.StatusNoContent, http.StatusCreated}
	resp, err := u.s.send(ctx, q)
	if err != nil {
		return err
	}
	drop(resp)
	at, err := u.s.location(resp)
	if err != nil {
		return err
	}
	if at.minChunk == 0 {
		at.minChunk = u.at.minChunk
	}
	u.at = at
	u.count(u.sent + n)
	return nil
}

// finish names the blob, with the rest of its bytes if there are any.
func (u *upload) finish(ctx context.Context, body func() io.ReadCloser, n int64) error {
	end := *u.at.url
	query := end.Query()
	query.Set("digest", u.d.Digest.String())
	end.RawQuery = query.Encode()
	q := u.s.uploadCall(u.d)
	q.method, q.url, q.once = http.MethodPut, &end, true
	q.header = http.Header{"Content-Type": {"application/octet-stream"}}
	if body != nil {
		q.body, q.length = body, n
	}
	q.want = []int{http.StatusCreated, http.StatusNoContent, http.StatusAccepted}
	resp, err := u.s.send(ctx, q)
	if err != nil {
		return err
	}
	drop(resp)
	return nil
}

// where asks how far a broken upload has come. If the registry does not know it any
// more, the next attempt begins a new one.
func (u *upload) where(ctx context.Context) {
	if u.at == nil {
		return
	}
	q := u.s.uploadCall(u.d)
	q.method, q.url, q.body, q.once = http.MethodGet, u.at.url, nil, true
	q.want = []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted}
	resp, err := u.s.send(ctx, q)
	if err != nil {
		u.at = nil
		return
	}
	drop(resp)
	have, ok := uploaded(resp.Header)
	at, err := u.s.location(resp)
	if !ok || err != nil || have > u.d.Size {
		u.at = nil
		return
	}
	if at.minChunk == 0 {
		at.minChunk = u.at.minChunk
	}
	u.at = at
	u.count(have)
}

// uploaded reads "Range: 0-N". "0-0" is said of nothing as well as of one byte;
// nothing is the guess that a registry corrects.
func uploaded(h http.Header) (int64, bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(h.Get("Range"), "bytes="), "-")
	last, err := strconv.ParseInt(to, 10, 64)
	if !ok || from != "0" || err != nil || last < 0 {
		return 0, false
	}
	if last == 0 {
		return 0, true
	}
	return last + 1, true
}

// count sets how much the registry has, and shows it.
func (u *upload) count(sent int64) {
	u.t.Reset(sent, u.d.Size)
	u.sent = sent
}

// body makes readers of a part of the blob, one for each time it is sent.
func (u *upload) body(offset, n int64) func() io.ReadCloser {
	return func() io.ReadCloser {
		u.t.Reset(offset, u.d.Size)
		return &countedBody{io.NewSectionReader(u.file, offset, n), u.t}
	}
}

// countedBody shows what is read from it.
type countedBody struct {
	*io.SectionReader
	t *progress.Task
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.SectionReader.Read(p)
	b.t.Add(int64(n))
	return n, err
}

// Close does nothing: the file is the upload's.
func (b *countedBody) Close() error { return nil }
