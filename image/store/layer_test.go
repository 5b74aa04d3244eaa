package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestLayer(t *testing.T) {
	s := open(t, Options{})
	chain := digest.FromString("layer")
	w, err := s.NewLayer(t.Context(), chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Dir(), "file"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Layer(chain); ok {
		t.Error("an unfinished layer counts")
	}
	w.Meta.Format, w.Meta.Size, w.Meta.Implied = "overlay", 1, []string{"a/b"}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	path, ok := s.Layer(chain)
	if !ok || path != filepath.Join(s.Dir(), "layers", chain.Encoded(), "fs") {
		t.Fatalf("it is at %s, %v", path, ok)
	}
	if _, err := os.Stat(path + "/file"); err != nil {
		t.Error(err)
	}
	if meta, ok := s.LayerMeta(chain); !ok || meta.Format != "overlay" || meta.Size != 1 || len(meta.Implied) != 1 || meta.Boot == "" {
		t.Errorf("meta %+v", meta)
	}
	if _, err := s.NewLayer(t.Context(), chain); !errors.Is(err, ErrExists) {
		t.Errorf("make it again: %v", err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if meta, ok := s.LayerMeta(chain); !ok || meta.Boot != "" {
		t.Errorf("after sync: %+v", meta)
	}
	sound(t, s)
}

// TestLayerOfAnotherBoot: a layer that was not synced before the machine stopped
// does not count, and can be made anew.
func TestLayerOfAnotherBoot(t *testing.T) {
	s := open(t, Options{})
	m := mustPut(t, s, "", "one", "two")
	if _, err := s.GC(t.Context(), GCOptions{DryRun: true}); err != nil {
		t.Fatal(err)
	}
	after := open(t, Options{Dir: s.Dir()})
	after.boot = "another boot"
	if _, ok := after.Layer(m.chains[0]); ok {
		t.Error("a layer that was never synced counts after a crash")
	}
	if err := os.Truncate(filepath.Join(s.Dir(), "layers", m.chains[1].Encoded(), layerMeta), 0); err != nil {
		t.Fatal(err)
	}
	if _, ok := after.Layer(m.chains[1]); ok {
		t.Error("a layer without its data counts")
	}
	sound(t, after)
	again, err := put(after, "one", "two")
	if err != nil {
		t.Fatal(err)
	}
	if err := after.Tag(reference("x"), again.Descriptor); err != nil {
		t.Fatal(err)
	}
	third := open(t, Options{Dir: s.Dir()})
	third.boot = "third boot"
	for _, chain := range m.chains {
		if _, ok := third.Layer(chain); !ok {
			t.Errorf("layer %s was lost although an image was named since", chain)
		}
	}
}

// TestFoundLayerIsSynced: who builds on a layer that another process made syncs it,
// since that process may be killed before it does.
func TestFoundLayerIsSynced(t *testing.T) {
	killed := open(t, Options{})
	m := mustPut(t, killed, "", "layer")
	s := open(t, Options{Dir: killed.Dir()})
	if _, err := put(s, "layer"); err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(reference("x"), m.Descriptor); err != nil {
		t.Fatal(err)
	}
	if meta, err := s.readMeta(m.chains[0]); err != nil || meta.Boot != "" {
		t.Errorf("meta %+v, %v", meta, err)
	}
}
