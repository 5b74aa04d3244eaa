// Package testregistry is a registry in memory for tests: the distribution protocol
// over a real socket, with authentication, and with faults on demand.
//
// Runs: tests.
package testregistry

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Options is what kind of registry to start; the zero value talks http and lets
// everybody in.
type Options struct {
	// TLS is the server's configuration; nil: plain http. Without certificates in
	// it httptest's own is used.
	TLS *tls.Config
	// User and Password make it ask for basic authentication.
	User, Password string
	// Token makes it ask for tokens of this server instead.
	Token *TokenServer
	// NoRanges makes it ignore the Range header of blobs.
	NoRanges bool
	// NoDigestHeader leaves Docker-Content-Digest out.
	NoDigestHeader bool
	// NoMount refuses to mount blobs from other repositories.
	NoMount bool
	// NoReferrers has no referrers API, as older registries.
	NoReferrers bool
	// MinChunk is the least size of a part of an upload but the last one
	// (OCI-Chunk-Min-Length).
	MinChunk int64
	// PageSize is how many names a list gives at once; 0: all.
	PageSize int
}

// Registry is a running registry. Its methods may be called at any time.
type Registry struct {
	o      Options
	server *httptest.Server

	mu       sync.Mutex
	repos    map[string]*repo
	uploads  map[string]*upload
	next     int
	requests []*Request
	faults   []*Fault
}

// Request is one request that was made.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	// Status is the answer's, once it is given.
	Status int
}

type repo struct {
	blobs     map[digest.Digest][]byte
	manifests map[digest.Digest]manifest
	tags      map[string]digest.Digest
}

type manifest struct {
	mediaType string
	raw       []byte
}

// New starts a registry on a loopback port.
func New(o Options) *Registry {
	r := &Registry{o: o, repos: map[string]*repo{}, uploads: map[string]*upload{}}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	if o.TLS == nil {
		r.server.Start()
	} else {
		r.server.TLS = o.TLS
		r.server.StartTLS()
	}
	if o.Token != nil {
		o.Token.start(r)
	}
	return r
}

// Close ends the registry and its token server.
func (r *Registry) Close() {
	r.server.CloseClientConnections()
	r.server.Close()
	if r.o.Token != nil {
		r.o.Token.Close()
	}
}

// Host is where it listens: 127.0.0.1:PORT.
func (r *Registry) Host() string {
	return r.server.Listener.Addr().String()
}

// Server is the server below, for its certificate.
func (r *Registry) Server() *httptest.Server { return r.server }

// Ref is the name of an image here.
func (r *Registry) Ref(repo, tag string) string { return r.Host() + "/" + repo + ":" + tag }

// Requests are the requests so far, without those to /v2/ itself.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Request, len(r.requests))
	for i, q := range r.requests {
		list[i] = *q
	}
	return list
}

// Forget forgets the requests so far.
func (r *Registry) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = nil
}

// Count is how many requests of a method had a path with a substring.
func (r *Registry) Count(method, path string) int {
	n := 0
	for _, q := range r.Requests() {
		if q.Method == method && strings.Contains(q.Path, path) {
			n++
		}
	}
	return n
}

// Inject adds a fault. Of several that fit a request the first counts.
func (r *Registry) Inject(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, &f)
}

// Heal removes all faults.
func (r *Registry) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = nil
}

// repository is called with r.mu held.
func (r *Registry) repository(name string) *repo {
	p, ok := r.repos[name]
	if !ok {
		p = &repo{blobs: map[digest.Digest][]byte{}, manifests: map[digest.Digest]manifest{}, tags: map[string]digest.Digest{}}
		r.repos[name] = p
	}
	return p
}

// PutBlob stores a blob. Its media type is left to the caller.
func (r *Registry) PutBlob(repo string, raw []byte) ocispec.Descriptor {
	d := ocispec.Descriptor{Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repository(repo).blobs[d.Digest] = raw
	return d
}

// PutBlobAs stores bytes under a digest that need not be theirs.
func (r *Registry) PutBlobAs(repo string, d digest.Digest, raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repository(repo).blobs[d] = raw
}

// PutManifest stores a manifest, unchecked, and names it if tag is not empty.
func (r *Registry) PutManifest(repo, tag, mediaType string, raw []byte) ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.repository(repo)
	p.manifests[d.Digest] = manifest{mediaType, raw}
	if tag != "" {
		p.tags[tag] = d.Digest
	}
	return d
}

// PutManifestAs stores bytes under a digest that need not be theirs.
func (r *Registry) PutManifestAs(repo string, d digest.Digest, mediaType string, raw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repository(repo).manifests[d] = manifest{mediaType, raw}
}

// Blob is a stored blob.
func (r *Registry) Blob(repo string, d digest.Digest) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, ok := r.repository(repo).blobs[d]
	return raw, ok
}

// Manifest is a stored manifest by its tag or digest.
func (r *Registry) Manifest(repo, id string) (mediaType string, raw []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.repository(repo)
	d, tagged := p.tags[id]
	if !tagged {
		d = digest.Digest(id)
	}
	m, ok := p.manifests[d]
	return m.mediaType, m.raw, ok
}

// DeleteBlob removes a blob.
func (r *Registry) DeleteBlob(repo string, d digest.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.repository(repo).blobs, d)
}
