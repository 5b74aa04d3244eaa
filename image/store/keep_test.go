package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// step is a step with one file, a blob and a record.
func step(t *testing.T, s *Store, name string) (Made, image.Descriptor) {
	t.Helper()
	upper := filepath.Join(s.TempDir(), "upper-"+name)
	if err := os.Mkdir(upper, 0o751); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(upper, "file"), []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := s.NewBlob(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("packed " + name)); err != nil {
		t.Fatal(err)
	}
	chain := digest.FromString(name)
	d := w.Descriptor("application/x-layer")
	record := &Record{Key: chain.Encoded(), Layers: []digest.Digest{chain}, Blobs: []digest.Digest{d.Digest}}
	return Made{Layer: LayerMeta{Chain: chain}, Dir: upper, Blob: w, Record: record}, d
}

func TestKeep(t *testing.T) {
	s := open(t, Options{})
	one, d1 := step(t, s, "one")
	two, d2 := step(t, s, "two")
	if s.Has(d1.Digest) {
		t.Error("a blob is there before it is kept")
	}
	if err := s.Keep(t.Context(), []Made{one, two}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []Made{one, two} {
		path, ok := s.Layer(m.Layer.Chain)
		if st, err := os.Stat(path); !ok || err != nil || st.Mode().Perm() != 0o751 {
			t.Errorf("%v %v", st, err)
		}
		if meta, err := s.readMeta(m.Layer.Chain); err != nil || meta.Boot != "" {
			t.Errorf("meta %+v, %v: it counts as not synced", meta, err)
		}
		if _, err := s.Record(m.Record.Key); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []image.Descriptor{d1, d2} {
		if _, err := s.ReadBlob(d, 100); err != nil {
			t.Error(err)
		}
	}
	if left, err := s.tmp.names(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if faults, err := s.Verify(t.Context(), nil); err != nil || len(faults) > 0 {
		t.Errorf("%v, %v", faults, err)
	}
}

// TestKeepTwice: the directory of a layer that the store has stays where it is, for
// somebody may stand on it.
func TestKeepTwice(t *testing.T) {
	s := open(t, Options{})
	for range 2 {
		m, _ := step(t, s, "same")
		if err := s.Keep(t.Context(), []Made{m}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.TempDir(), "upper-same")); err != nil {
		t.Error(err)
	}
	if left, err := s.tmp.names(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestKeepRefuses(t *testing.T) {
	s := open(t, Options{})
	upper := filepath.Join(s.TempDir(), "upper")
	if err := os.Symlink("/etc", upper); err != nil {
		t.Fatal(err)
	}
	chain := digest.FromString("other")
	later, d := step(t, s, "later")
	if err := s.Keep(t.Context(), []Made{{Layer: LayerMeta{Chain: chain}, Dir: upper}, later}); err == nil {
		t.Error("a link was adopted")
	}
	if s.Has(d.Digest) {
		t.Error("what came after an error was kept")
	}
	if err := s.Keep(t.Context(), []Made{{Layer: LayerMeta{Chain: chain}, Dir: s.Dir() + "/none"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing was adopted: %v", err)
	}
	if err := os.RemoveAll(later.Dir); err != nil {
		t.Error(err)
	}
	if left, err := s.tmp.names(); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}
