package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opencontainers/image-spec/specs-go"
)

func TestNames(t *testing.T) {
	s := open(t, Options{})
	a := mustPut(t, s, "example.com/app:1", "a")
	b := mustPut(t, s, "busybox", "b")
	if d, err := s.Lookup(reference("docker.io/library/busybox:latest")); err != nil || d.Digest != b.Digest {
		t.Errorf("busybox is %v, %v", d, err)
	}
	if err := s.Tag(reference("busybox"), a.Descriptor); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Lookup(reference("busybox")); err != nil || d.Digest != a.Digest || len(d.Annotations) != 0 {
		t.Errorf("busybox is %v, %v", d, err)
	}
	refs, err := s.Refs()
	if err != nil || len(refs) != 2 || refs[0].Name != "docker.io/library/busybox:latest" || refs[1].Name != "example.com/app:1" {
		t.Errorf("names %v, %v", refs, err)
	}
	if err := s.Untag(reference("busybox")); err != nil {
		t.Error(err)
	}
	if err := s.Untag(reference("busybox")); !errors.Is(err, ErrNotFound) {
		t.Errorf("untag it again: %v", err)
	}
	missing := a.Descriptor
	missing.Size++
	if err := s.Tag(reference("x"), missing); !errors.Is(err, ErrNotFound) {
		t.Errorf("name what is not there: %v", err)
	}
	sound(t, s)
}

func TestFind(t *testing.T) {
	s := open(t, Options{})
	a := mustPut(t, s, "example.com/app:1", "a")
	b := mustPut(t, s, "busybox:1.36", "b")
	mustPut(t, s, "alpine", "c")
	unnamed := mustPut(t, s, "", "d")
	index, err := putJSON(s, ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{b.Descriptor},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(reference("many"), index); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{
		"example.com/app:1":                        a.Digest.String(),
		a.Digest.String():                          a.Digest.String(),
		a.Digest.Encoded()[:12]:                    a.Digest.String(),
		a.config.Digest.Encoded()[:8]:              a.Digest.String(),
		a.config.Digest.String():                   a.Digest.String(),
		b.config.Digest.Encoded()[:12]:             b.Digest.String(),
		index.Digest.Encoded()[:12]:                index.Digest.String(),
		"busybox@" + b.Digest.String():             b.Digest.String(),
		"elsewhere.example/x@" + a.Digest.String(): a.Digest.String(),
		unnamed.Digest.String():                    unnamed.Digest.String(),
	} {
		if r, err := s.Find(word); err != nil || r.Descriptor.Digest.String() != want {
			t.Errorf("%s is %v, %v", word, r, err)
		}
	}
	for word, near := range map[string]string{
		"busybox":           "busybox:1.36",
		"busibox:1.36":      "busybox:1.36",
		"alpin":             "alpine:latest",
		"nothinglikeit":     "",
		"example.com/app":   "example.com/app:1",
		"deadbeefdeadbeef":  "",
		"example.com/app:2": "example.com/app:1",
		"app:3":             "example.com/app:1",
	} {
		_, err := s.Find(word)
		var missing *NotFoundError
		if !errors.As(err, &missing) || missing.Near != near || !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, near %q", word, err, missing.Near)
		}
	}
	if _, err := s.Find("UPPER"); err == nil || !strings.Contains(err.Error(), "lower case") {
		t.Errorf("what is no name: %v", err)
	}
	for _, l := range a.layers {
		if r, err := s.Find(l.Digest.String()); err == nil {
			t.Errorf("a layer is the image %s", r)
		}
	}
}

func TestReadOnly(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir() + "/none", ReadOnly: true})
	if refs, err := s.Refs(); err != nil || len(refs) != 0 {
		t.Errorf("a store that is not there: %v, %v", refs, err)
	}
	if _, err := s.Find("busybox"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	sound(t, s)
	if _, err := s.Usage(); err != nil {
		t.Error(err)
	}
	if _, err := s.Use(t.Context()); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if _, err := os.Stat(s.Dir()); !notExist(err) {
		t.Error("it was made")
	}
	full := open(t, Options{})
	m := mustPut(t, full, "x", "a")
	s = open(t, Options{Dir: full.Dir(), ReadOnly: true})
	if d, err := s.Lookup(reference("x")); err != nil || d.Digest != m.Digest {
		t.Error(err)
	}
	if err := s.Untag(reference("x")); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	sound(t, s)
}

func TestNotAStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("a directory with other things became a store: %v", err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "2.0.0") {
		t.Errorf("a layout of the future: %v", err)
	}
}

// A directory that others can write to is no store: they could put anything in it
// under any digest.
func TestStoreOfOthers(t *testing.T) {
	open := func(dir string, readOnly bool) error {
		s, err := Open(Options{Dir: dir, ReadOnly: readOnly})
		if err == nil {
			err = s.Close()
		}
		return err
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, false); err == nil || !strings.Contains(err.Error(), "by everybody") {
		t.Errorf("mode 0777: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, false); err != nil {
		t.Errorf("mode 0755: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("the other half gives files to other users: needs root")
	}
	if err := os.Chown(dir, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, false); err == nil || !strings.Contains(err.Error(), "belongs to user 4711") {
		t.Errorf("another user's: %v", err)
	}
	if err := open(dir, true); err != nil {
		t.Errorf("another user's, for reading: %v", err)
	}
}
