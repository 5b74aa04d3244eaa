package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"berth/image"
)

// Client talks to registries. Its methods may be called from several goroutines.
type Client struct {
	o     Options
	hosts *hosts

	mu       sync.Mutex
	sessions map[endpointKey]*session
	// down are hosts that did not answer.
	down map[string]bool
}

// endpointKey is what sessions are kept by: credentials may differ by repository.
type endpointKey struct{ host, repo string }

var (
	_ image.Source = (*Client)(nil)
	_ image.Header = (*Client)(nil)
)

// New makes a client. It connects to nobody yet.
func New(o Options) *Client {
	o = o.withDefaults()
	return &Client{
		o:        o,
		hosts:    &hosts{certDirs: o.CertDirs, dial: min(o.Silence, dialTimeout), trust: map[string]trust{}},
		sessions: map[endpointKey]*session{},
		down:     map[string]bool{},
	}
}

// Close drops the idle connections. The client can be used again.
func (c *Client) Close() { c.hosts.close() }

func (c *Client) session(ep endpoint) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := endpointKey{ep.host, ep.repo}
	s, ok := c.sessions[key]
	if !ok {
		c.hosts.permit(ep)
		s = newSession(c, ep)
		c.sessions[key] = s
	}
	return s
}

// each does something at the first place that can: mirrors first, then the
// registry, whose error counts in the end.
func (c *Client) each(ctx context.Context, ref image.Reference, byDigest bool, do func(*session) error) error {
	if ref.IsZero() {
		return errors.New("registry: no image is named")
	}
	list, err := c.endpoints(ref, byDigest, false)
	if err != nil {
		return err
	}
	list = c.answering(list)
	for i, ep := range list {
		err = do(c.session(ep))
		if err == nil || ctx.Err() != nil {
			return err
		}
		if unreachable(err) {
			c.setDown(ep.host)
		}
		if i+1 < len(list) && !errors.Is(err, image.ErrNotFound) {
			c.o.Notice(fmt.Sprintf("%v; asking %s", err, list[i+1].name))
		}
	}
	return err
}

// unreachable tells a host that is not there, or broken, from one that refuses.
func unreachable(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return retryStatus(refused.Status)
	}
	return !errors.Is(err, errBadAnswer) && !errors.Is(err, image.ErrNoRange) &&
		(errors.Is(err, errSilent) || errors.Is(err, syscall.ECONNREFUSED) || isNetError(err))
}

func (c *Client) setDown(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down[host] = true
}

// answering leaves out the mirrors that did not answer before: each would cost the
// time of finding that out again. The registry itself stays.
func (c *Client) answering(list []endpoint) []endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(list, func(ep endpoint) bool { return ep.mirror && c.down[ep.host] })
}
