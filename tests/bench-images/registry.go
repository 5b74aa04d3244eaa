package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// serveRegistry serves the generated images on a loopback address, which it prints
// first. It is a process of its own, so that its work is nobody's CPU, and reads only:
// /v2/NAME/manifests/latest and /v2/NAME/blobs/DIGEST.
func serveRegistry(dir string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { //nolint:gosec // loopback
		path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
		parts := strings.Split(path, "/")
		switch {
		case ok && path == "":
			w.WriteHeader(http.StatusOK)
		case ok && len(parts) == 3 && parts[1] == "manifests":
			serveManifest(w, req, dir, parts[0], parts[2])
		case ok && len(parts) == 3 && parts[1] == "blobs":
			serveBlob(w, req, dir, parts[2])
		default:
			http.NotFound(w, req)
		}
	}))
}

func serveManifest(w http.ResponseWriter, req *http.Request, dir, name, id string) {
	if !strings.HasPrefix(id, "sha256:") {
		raw, err := os.ReadFile(filepath.Join(dir, "tag-"+filepath.Base(name)))
		if err != nil {
			http.NotFound(w, req)
			return
		}
		id = string(raw)
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	serveBlob(w, req, dir, id)
}

func serveBlob(w http.ResponseWriter, req *http.Request, dir, id string) {
	f, err := os.Open(filepath.Join(dir, "blobs", filepath.Base(strings.TrimPrefix(id, "sha256:"))))
	if err != nil {
		http.NotFound(w, req)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Docker-Content-Digest", id)
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	http.ServeContent(w, req, "", st.ModTime(), f)
}
