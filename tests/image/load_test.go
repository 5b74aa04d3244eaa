package image

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with an archive is said in one sentence; nothing of it gets a name,
// and the store stays sound.
func TestLoadHostile(t *testing.T) {
	everybody(t, func(w *world) {
		secret := w.dir + "/home/secret"
		if err := os.WriteFile(secret, []byte("of the host"), 0o600); err != nil {
			w.Fatal(err)
		}
		for says, spoil := range map[string]func(layer string) error{
			"symbolic link":          func(layer string) error { return relink(layer, secret) },
			"not found":              os.Remove,
			"bytes, ":                func(layer string) error { return os.WriteFile(layer, []byte("short"), 0o644) },
			"content has the digest": scribble,
			"above the limit": func(layer string) error {
				index := filepath.Join(filepath.Dir(layer), "../../index.json")
				return os.Truncate(index, 1<<30)
			},
			"two images are called": func(layer string) error {
				index := filepath.Join(filepath.Dir(layer), "../../index.json")
				raw, err := os.ReadFile(index)
				if err != nil {
					return err
				}
				start, end := bytes.IndexByte(raw, '['), bytes.LastIndexByte(raw, ']')
				again := append(append([]byte{}, raw[:end]...), ',')
				return os.WriteFile(index, append(append(again, raw[start+1:end]...), raw[end:]...), 0o644)
			},
		} {
			dir := strings.TrimPrefix(w.layout(`{}`), "oci:")
			if err := spoil(largest(w, dir)); err != nil {
				w.Fatal(err)
			}
			w.fails(says, "load", dir)
		}
		w.fails("neither an OCI layout", "load", w.dir)
		w.fails("no such file or directory", "load", w.dir+"/none")
		// What is left of all these is no obstacle.
		dir := strings.TrimPrefix(w.layout(`{}`), "oci:")
		w.is(w.ok("load", "-q", dir), name)
		w.ok("rmi", "-q", name)

		w.is(w.ok("images", "--format", "json"), "[]")
		w.ok("verify", "-q")
		w.ok("prune")
		w.ok("verify", "-q")
	})
}

// largest is the layer's blob.
func largest(w *world, dir string) string {
	w.Helper()
	var path string
	var size int64
	blobs, err := filepath.Glob(dir + "/blobs/sha256/*")
	if err != nil {
		w.Fatal(err)
	}
	for _, blob := range blobs {
		st, err := os.Stat(blob)
		if err != nil {
			w.Fatal(err)
		}
		if st.Size() > size {
			path, size = blob, st.Size()
		}
	}
	return path
}

func relink(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

// scribble changes bytes and not the size.
func scribble(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	copy(raw[len(raw)-8:], "scribble")
	return os.WriteFile(path, raw, 0o644)
}
