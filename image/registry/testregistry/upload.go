package testregistry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// upload is a blob on its way in.
type upload struct {
	repo string
	raw  bytes.Buffer
}

func readAll(req *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(req.Body)
	if err == nil && req.ContentLength >= 0 && int64(len(raw)) != req.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return raw, err
}

func (r *Registry) serveUpload(w http.ResponseWriter, req *http.Request, name, id string) {
	if id == "" {
		if req.Method == http.MethodPost {
			r.startUpload(w, req, name)
			return
		}
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	r.mu.Lock()
	u, ok := r.uploads[id]
	r.mu.Unlock()
	if !ok || u.repo != name {
		refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
		return
	}
	switch req.Method {
	case http.MethodGet:
		r.progress(w, name, id, u, http.StatusNoContent)
	case http.MethodPatch:
		r.patch(w, req, name, id, u)
	case http.MethodPut:
		r.finish(w, req, name, id, u)
	case http.MethodDelete:
		r.mu.Lock()
		delete(r.uploads, id)
		r.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
	}
}

func (r *Registry) startUpload(w http.ResponseWriter, req *http.Request, name string) {
	query := req.URL.Query()
	if d := digest.Digest(query.Get("mount")); d != "" && !r.o.NoMount {
		if raw, ok := r.Blob(query.Get("from"), d); ok {
			r.PutBlobAs(name, d, raw)
			r.created(w, name, d)
			return
		}
	}
	r.mu.Lock()
	r.next++
	id := strconv.Itoa(r.next)
	u := &upload{repo: name}
	r.uploads[id] = u
	r.mu.Unlock()
	if r.o.MinChunk > 0 {
		w.Header().Set("OCI-Chunk-Min-Length", strconv.FormatInt(r.o.MinChunk, 10))
	}
	r.progress(w, name, id, u, http.StatusAccepted)
}

func (r *Registry) progress(w http.ResponseWriter, name, id string, u *upload, status int) {
	r.mu.Lock()
	last := max(u.raw.Len()-1, 0)
	r.mu.Unlock()
	w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id+"?state=x")
	w.Header().Set("Range", fmt.Sprintf("0-%d", last))
	w.WriteHeader(status)
}

func (r *Registry) patch(w http.ResponseWriter, req *http.Request, name, id string, u *upload) {
	if span := req.Header.Get("Content-Range"); span != "" {
		var from, to int
		_, err := fmt.Sscanf(span, "%d-%d", &from, &to)
		r.mu.Lock()
		have := u.raw.Len()
		r.mu.Unlock()
		if err != nil || from != have {
			w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id+"?state=x")
			w.Header().Set("Range", fmt.Sprintf("0-%d", max(have-1, 0)))
			refuse(w, http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID")
			return
		}
	}
	if !r.take(req, u) {
		panic(http.ErrAbortHandler)
	}
	r.progress(w, name, id, u, http.StatusAccepted)
}

// take keeps what arrives, also of a request that breaks off.
func (r *Registry) take(req *http.Request, u *upload) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := req.Body.Read(buf)
		r.mu.Lock()
		u.raw.Write(buf[:n])
		r.mu.Unlock()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

func (r *Registry) finish(w http.ResponseWriter, req *http.Request, name, id string, u *upload) {
	if !r.take(req, u) {
		panic(http.ErrAbortHandler)
	}
	d := digest.Digest(req.URL.Query().Get("digest"))
	r.mu.Lock()
	raw := bytes.Clone(u.raw.Bytes())
	delete(r.uploads, id)
	r.mu.Unlock()
	if d.Validate() != nil || d.Algorithm().FromBytes(raw) != d {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	r.PutBlobAs(name, d, raw)
	r.created(w, name, d)
}

func (r *Registry) created(w http.ResponseWriter, name string, d digest.Digest) {
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+d.String())
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}
