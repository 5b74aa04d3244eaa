package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"
)

// builtImage is an image as the tests' own reader sees it.
type builtImage struct {
	config  map[string]any // the whole configuration
	history []string       // created_by of every entry
	diffIDs []string
	tree    map[string]*node
}

// node is a file of the flattened tree.
type node struct {
	header  tar.Header
	content string
}

// readImage reads an OCI archive and lays its layers on each other.
func readImage(t *testing.T, file string) *builtImage {
	t.Helper()
	img, err := parseImage(file)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return img
}

func parseImage(file string) (*builtImage, error) {
	blobs, err := readTar(file)
	if err != nil {
		return nil, err
	}
	var index struct {
		Manifests []struct{ Digest, MediaType string }
	}
	if err := json.Unmarshal(blobs["index.json"], &index); err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	if len(index.Manifests) != 1 {
		return nil, fmt.Errorf("index.json lists %d manifests", len(index.Manifests))
	}
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct{ Digest, MediaType string }
	}
	if err := blob(blobs, index.Manifests[0].Digest, &manifest); err != nil {
		return nil, err
	}
	img := &builtImage{tree: map[string]*node{}}
	if err := blob(blobs, manifest.Config.Digest, &img.config); err != nil {
		return nil, err
	}
	var parts struct {
		History []struct {
			CreatedBy  string `json:"created_by"`
			EmptyLayer bool   `json:"empty_layer"`
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := blob(blobs, manifest.Config.Digest, &parts); err != nil {
		return nil, err
	}
	full := 0
	for _, h := range parts.History {
		img.history = append(img.history, h.CreatedBy)
		if !h.EmptyLayer {
			full++
		}
	}
	img.diffIDs = parts.RootFS.DiffIDs
	if full != len(manifest.Layers) || len(img.diffIDs) != len(manifest.Layers) {
		return nil, fmt.Errorf("%d layers, but %d diff ids and %d entries of history that are not empty", len(manifest.Layers), len(img.diffIDs), full)
	}
	for i, layer := range manifest.Layers {
		raw, err := checked(blobs, layer.Digest)
		if err != nil {
			return nil, err
		}
		if err := img.apply(raw, img.diffIDs[i]); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return img, nil
}

func readTar(file string) (map[string][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	blobs := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return blobs, nil
		}
		if err != nil {
			return nil, err
		}
		if blobs[path.Clean(h.Name)], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

func checked(blobs map[string][]byte, digest string) ([]byte, error) {
	raw, ok := blobs["blobs/"+strings.Replace(digest, ":", "/", 1)]
	if !ok {
		return nil, fmt.Errorf("blob %s is missing", digest)
	}
	sum := sha256.Sum256(raw)
	if "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("blob %s has other content", digest)
	}
	return raw, nil
}

func blob(blobs map[string][]byte, digest string, into any) error {
	raw, err := checked(blobs, digest)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// apply lays a layer over the tree.
func (img *builtImage) apply(raw []byte, diffID string) error {
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		if raw, err = io.ReadAll(z); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(raw)
	if "sha256:"+hex.EncodeToString(sum[:]) != diffID {
		return fmt.Errorf("its diff id is not %s", diffID)
	}
	r := tar.NewReader(bytes.NewReader(raw))
	fresh := map[string]bool{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := img.put(h, string(content), fresh); err != nil {
			return err
		}
	}
}

func (img *builtImage) put(h *tar.Header, content string, fresh map[string]bool) error {
	name := path.Join("/", h.Name)
	dir, base := path.Split(name)
	if base == ".wh..wh..opq" {
		img.remove(path.Clean(dir), fresh, false)
		return nil
	}
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		img.remove(path.Join(dir, hidden), fresh, true)
		return nil
	}
	if parent := img.tree[path.Clean(dir)]; parent != nil && parent.header.Typeflag != tar.TypeDir {
		return fmt.Errorf("%s lies in %s, which is no directory", name, path.Clean(dir))
	}
	fresh[name] = true
	if h.Typeflag == tar.TypeLink {
		target := img.tree[path.Join("/", h.Linkname)]
		if target == nil {
			return fmt.Errorf("%s is a hard link to %s, which is missing", name, h.Linkname)
		}
		img.tree[name] = target
		return nil
	}
	if old := img.tree[name]; old != nil && (h.Typeflag != tar.TypeDir || old.header.Typeflag != tar.TypeDir) {
		img.remove(name, fresh, true)
	}
	img.tree[name] = &node{header: *h, content: content}
	return nil
}

// remove takes a path of lower layers out of the tree, and what is below it.
func (img *builtImage) remove(name string, fresh map[string]bool, self bool) {
	for have := range img.tree {
		if (self && have == name || strings.HasPrefix(have, strings.TrimSuffix(name, "/")+"/")) && !fresh[have] {
			delete(img.tree, have)
		}
	}
}

// settings is the field "config" of the configuration.
func (img *builtImage) settings() map[string]any {
	settings, _ := img.config["config"].(map[string]any) // absent: empty
	return settings
}
