package testregistry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func (r *Registry) serve(rw http.ResponseWriter, req *http.Request) {
	status := &statusWriter{rw, http.StatusOK}
	w := http.ResponseWriter(status)
	if req.URL.Path != "/v2/" {
		// Noted before it is answered: who counts requests may have the answer
		// before this function returns.
		noted := &Request{Method: req.Method, Path: req.URL.Path, Query: req.URL.RawQuery, Header: req.Header.Clone()}
		r.mu.Lock()
		r.requests = append(r.requests, noted)
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			noted.Status = status.status
		}()
	}
	out := w
	if f := r.fault(req); f != nil {
		if f.answer(w, req) {
			return
		}
		out = &faultyWriter{ResponseWriter: w, f: f, req: req}
	}
	r.route(out, req)
}

func (r *Registry) route(w http.ResponseWriter, req *http.Request) {
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if !ok {
		refuse(w, http.StatusNotFound, "UNSUPPORTED")
		return
	}
	if path == "" {
		if r.permitted(w, req, "") {
			w.WriteHeader(http.StatusOK)
		}
		return
	}
	if path == "_catalog" {
		if r.permitted(w, req, "registry:catalog:*") {
			r.catalog(w, req)
		}
		return
	}
	for _, kind := range []string{"/manifests/", "/blobs/uploads/", "/blobs/", "/tags/list", "/referrers/"} {
		name, id, found := cutLast(path, kind)
		if !found {
			continue
		}
		action := "pull"
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			action = "pull,push"
		}
		if r.permitted(w, req, "repository:"+name+":"+action) {
			r.serveRepo(w, req, name, kind, id)
		}
		return
	}
	refuse(w, http.StatusNotFound, "UNSUPPORTED")
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (r *Registry) serveRepo(w http.ResponseWriter, req *http.Request, name, kind, id string) {
	switch kind {
	case "/manifests/":
		switch req.Method {
		case http.MethodPut:
			r.putManifest(w, req, name, id)
		default:
			r.getManifest(w, req, name, id)
		}
	case "/blobs/uploads/":
		r.serveUpload(w, req, name, id)
	case "/blobs/":
		r.getBlob(w, req, name, digest.Digest(id))
	case "/tags/list":
		r.tags(w, req, name)
	case "/referrers/":
		r.referrers(w, req, name, digest.Digest(id))
	}
}

func (r *Registry) getManifest(w http.ResponseWriter, req *http.Request, name, id string) {
	r.mu.Lock()
	p := r.repository(name)
	d, tagged := p.tags[id]
	if !tagged {
		d = digest.Digest(id)
	}
	m, ok := p.manifests[d]
	r.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	if !r.o.NoDigestHeader {
		w.Header().Set("Docker-Content-Digest", d.String())
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.raw)))
	w.WriteHeader(http.StatusOK)
	if req.Method != http.MethodHead {
		_, _ = w.Write(m.raw) // the client may be gone
	}
}

func (r *Registry) getBlob(w http.ResponseWriter, req *http.Request, name string, d digest.Digest) {
	raw, ok := r.Blob(name, d)
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", d.String())
	status, part := http.StatusOK, raw
	if span, ok := strings.CutPrefix(req.Header.Get("Range"), "bytes="); ok && !r.o.NoRanges {
		from, to, _ := strings.Cut(span, "-")
		first, err := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err2 != nil || last >= len(raw) {
			last = len(raw) - 1
		}
		if err != nil || first > last {
			refuse(w, http.StatusRequestedRangeNotSatisfiable, "SIZE_INVALID")
			return
		}
		status, part = http.StatusPartialContent, raw[first:last+1]
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(raw)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(part)))
	w.WriteHeader(status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(part) // the client may be gone
	}
}

func (r *Registry) putManifest(w http.ResponseWriter, req *http.Request, name, id string) {
	raw, err := readAll(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var m struct {
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
		return
	}
	d := digest.FromBytes(raw)
	tag := id
	if asked := digest.Digest(id); asked.Validate() == nil {
		if asked != d {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
			return
		}
		tag = ""
	}
	r.mu.Lock()
	p := r.repository(name)
	missing := false
	for _, l := range m.Layers {
		_, ok := p.blobs[l.Digest]
		missing = missing || !ok
	}
	if m.Config != nil {
		_, ok := p.blobs[m.Config.Digest]
		missing = missing || !ok
	}
	for _, sub := range m.Manifests {
		_, ok := p.manifests[sub.Digest]
		missing = missing || !ok
	}
	r.mu.Unlock()
	if missing {
		refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
		return
	}
	r.PutManifest(name, tag, req.Header.Get("Content-Type"), raw)
	w.Header().Set("Location", "/v2/"+name+"/manifests/"+d.String())
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// page cuts a sorted list as n and last say, and links to the rest.
func (r *Registry) page(w http.ResponseWriter, req *http.Request, names []string) []string {
	slices.Sort(names)
	query := req.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	n := r.o.PageSize
	if asked, err := strconv.Atoi(query.Get("n")); err == nil && (n == 0 || asked < n) {
		n = asked
	}
	if n > 0 && len(names) > n {
		names = names[:n]
		w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d&last=%s>; rel="next"`, req.URL.Path, n, names[n-1]))
	}
	return names
}

func (r *Registry) tags(w http.ResponseWriter, req *http.Request, name string) {
	r.mu.Lock()
	p, ok := r.repos[name]
	var names []string
	if ok {
		for tag := range p.tags {
			names = append(names, tag)
		}
	}
	r.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN")
		return
	}
	respond(w, map[string]any{"name": name, "tags": r.page(w, req, names)})
}

func (r *Registry) catalog(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	var names []string
	for name := range r.repos {
		names = append(names, name)
	}
	r.mu.Unlock()
	respond(w, map[string]any{"repositories": r.page(w, req, names)})
}

func (r *Registry) referrers(w http.ResponseWriter, req *http.Request, name string, subject digest.Digest) {
	if r.o.NoReferrers {
		refuse(w, http.StatusNotFound, "UNSUPPORTED")
		return
	}
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	index.SchemaVersion = 2
	r.mu.Lock()
	for d, m := range r.repository(name).manifests {
		var doc ocispec.Manifest
		if json.Unmarshal(m.raw, &doc) != nil || doc.Subject == nil || doc.Subject.Digest != subject {
			continue
		}
		kind := doc.ArtifactType
		if kind == "" {
			kind = doc.Config.MediaType
		}
		index.Manifests = append(index.Manifests, ocispec.Descriptor{MediaType: m.mediaType, Digest: d, Size: int64(len(m.raw)), ArtifactType: kind, Annotations: doc.Annotations})
	}
	r.mu.Unlock()
	if want := req.URL.Query().Get("artifactType"); want != "" {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool { return d.ArtifactType != want })
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	respond(w, index)
}

func respond(w http.ResponseWriter, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	raw := encode(v)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(raw) // the client may be gone
}
