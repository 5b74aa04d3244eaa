package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func gc(t *testing.T, s *Store, o GCOptions) GCReport {
	t.Helper()
	r, err := s.GC(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	return r
}

func whole(s *Store, m made) bool {
	for _, d := range append(m.layers, m.config, m.Descriptor) {
		if !s.Has(d.Digest) {
			return false
		}
	}
	return !slices.ContainsFunc(m.chains, func(chain digest.Digest) bool {
		_, ok := s.Layer(chain)
		return !ok
	})
}

func TestGC(t *testing.T) {
	s := open(t, Options{})
	named := mustPut(t, s, "named", "base", "a")
	gone := mustPut(t, s, "gone", "base", "b")
	inIndex := mustPut(t, s, "", "base", "c")
	index, err := putJSON(s, ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []ocispec.Descriptor{inIndex.Descriptor, describe("x", []byte("never fetched"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(reference("many"), index); err != nil {
		t.Fatal(err)
	}
	if err := s.Untag(reference("gone")); err != nil {
		t.Fatal(err)
	}
	dry := gc(t, s, GCOptions{DryRun: true})
	if !whole(s, gone) {
		t.Fatal("a dry run removes")
	}
	r := gc(t, s, GCOptions{})
	if !slices.Equal(dry.Blobs, r.Blobs) || dry.Bytes() != r.Bytes() {
		t.Errorf("dry %+v, then %+v", dry, r)
	}
	// The manifest goes first: at no moment it is there without its parts.
	if want := []digest.Digest{gone.Digest}; len(r.Blobs) != 3 || !slices.Equal(r.Blobs[:1], want) || len(r.Layers) != 1 || r.Layers[0] != gone.chains[1] {
		t.Errorf("removed %+v", r)
	}
	if !whole(s, named) || !whole(s, inIndex) || s.Has(gone.Digest) {
		t.Error("not what was needed is left")
	}
}

func TestGCKeepsWhatContainersUse(t *testing.T) {
	s := open(t, Options{})
	m := mustPut(t, s, "app", "a")
	unused := mustPut(t, s, "unused", "b")
	use := Use{ID: "c1", Image: m.Descriptor, Layers: m.chains}
	c, err := s.NewContainer(use)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NewContainer(use); !errors.Is(err, ErrExists) {
		t.Errorf("the id is taken: %v", err)
	}
	for _, dir := range []string{c.Upper(), c.Work()} {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			t.Error(err)
		}
	}
	r := gc(t, s, GCOptions{All: true})
	if !slices.Equal(r.Names, []string{"docker.io/library/unused:latest"}) || s.Has(unused.Digest) || !whole(s, m) {
		t.Errorf("removed %+v", r)
	}
	if err := s.Untag(reference("app")); err != nil {
		t.Fatal(err)
	}
	gc(t, s, GCOptions{})
	if !whole(s, m) {
		t.Error("what a container uses is gone")
	}
	all, skipped, err := s.Containers()
	if err != nil || len(skipped) > 0 || len(all) != 1 || all[0].ID != "c1" || all[0].Image.Digest != m.Digest {
		t.Errorf("containers %v %v %v", all, skipped, err)
	}
	// One that cannot be read may need anything.
	if err := os.WriteFile(filepath.Join(c.Dir, useName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{}); err == nil || !whole(s, m) {
		t.Errorf("gc with a container that cannot be read: %v", err)
	}
	if err := s.RemoveContainer("c1"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveContainer("c1"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if gc(t, s, GCOptions{}); s.Has(m.Digest) {
		t.Error("what nobody uses is still there")
	}
}

// A crash of the machine can leave a container's file empty; gc goes on.
func TestGCAfterCrash(t *testing.T) {
	s := open(t, Options{})
	c, err := s.NewContainer(Use{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(c.Dir, useName), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{}); err == nil {
		t.Error("a container of this boot that cannot be read")
	}
	s.booted = time.Now().Add(time.Hour)
	if _, err := s.GC(t.Context(), GCOptions{All: true, DryRun: true}); err != nil || !s.containers.exists("c1") {
		t.Errorf("a dry run: %v", err)
	}
	gc(t, s, GCOptions{})
	if _, err := os.Stat(c.Dir); !notExist(err) {
		t.Error("a container of before the crash is still there")
	}
}

func TestGCOfTheBuildCache(t *testing.T) {
	s := open(t, Options{})
	m := mustPut(t, s, "", "a")
	key := digest.FromString("step").Encoded()
	err := s.PutRecord(Record{Key: key, Blobs: []digest.Digest{m.layers[0].Digest}, Layers: m.chains, Data: []byte(`{"x":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	gc(t, s, GCOptions{})
	if !s.Has(m.layers[0].Digest) || s.Has(m.Digest) {
		t.Error("not what the cache needs is left")
	}
	r, err := s.Record(key)
	if err != nil || string(r.Data) != `{"x":1}` || time.Since(r.Used) > time.Minute {
		t.Errorf("record %+v, %v", r, err)
	}
	if r := gc(t, s, GCOptions{Cache: true, CacheAge: time.Hour}); r.Records != 0 {
		t.Error("a record that was just of use is gone")
	}
	if r := gc(t, s, GCOptions{Cache: true}); r.Records != 1 || s.Has(m.layers[0].Digest) {
		t.Errorf("removed %+v", r)
	}
	if _, err := s.Record(key); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestGCOfLeftovers(t *testing.T) {
	s := open(t, Options{})
	d := describe("x", []byte("content"))
	in, err := s.Ingest(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("con")); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir(), "tmp/layer-x/fs/a/b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := gc(t, s, GCOptions{KeepPartial: time.Hour}); r.Partial != 0 {
		t.Error("a fetch that could be resumed is gone")
	}
	if r := gc(t, s, GCOptions{}); r.Partial != 1 || r.PartialBytes != 3 {
		t.Errorf("removed %+v", r)
	}
	for _, d := range []*dir{s.tmp, s.ingest} {
		if left, err := d.names(); err != nil || len(left) > 0 {
			t.Errorf("%v are left, %v", left, err)
		}
	}
}

func TestGCWaits(t *testing.T) {
	s := open(t, Options{})
	release, err := s.Use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GC(t.Context(), GCOptions{}); err == nil {
		t.Error("gc waits for its own process")
	}
	waits := make(chan string, 1)
	other := open(t, Options{Dir: s.Dir(), Waiting: func(what string) { waits <- what }})
	if _, err := other.GC(t.Context(), GCOptions{NoWait: true}); !errors.Is(err, ErrBusy) {
		t.Errorf("gc beside a user: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := other.GC(t.Context(), GCOptions{})
		done <- err
	}()
	<-waits
	release()
	release() // once counts
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestGCIsNotStarved: users of whom one goes when the next has come keep gc away for a
// while only. One who has waited for the next for long enough goes, too, as a pull ends.
func TestGCIsNotStarved(t *testing.T) {
	s := open(t, Options{})
	ctx, stop := context.WithCancel(t.Context())
	var inside atomic.Int32
	var users sync.WaitGroup
	defer users.Wait()
	defer stop()
	begun := make(chan struct{}, 1)
	for range 3 {
		users.Go(func() {
			// Each has a handle of its own, as in a process.
			own, err := Open(Options{Dir: s.Dir()})
			if err != nil {
				t.Error(err)
				return
			}
			defer own.Close()
			for ctx.Err() == nil {
				release, err := own.Use(ctx)
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				inside.Add(1)
				select {
				case begun <- struct{}{}:
				default:
				}
				for end := time.Now().Add(200 * time.Millisecond); inside.Load() < 2 && time.Now().Before(end) && ctx.Err() == nil; {
					time.Sleep(time.Millisecond)
				}
				inside.Add(-1)
				release()
			}
		})
	}
	<-begun
	if _, err := s.GC(ctx, GCOptions{}); err != nil {
		t.Error(err)
	}
}

// TestNestedUse: who uses the store does so again while gc waits for him.
func TestNestedUse(t *testing.T) {
	s := open(t, Options{})
	release, err := s.Use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan string, 1)
	other := open(t, Options{Dir: s.Dir(), Waiting: func(what string) { waits <- what }})
	done := make(chan error)
	go func() {
		_, err := other.GC(t.Context(), GCOptions{})
		done <- err
	}()
	<-waits
	for range 20 {
		again, err := s.Use(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		again()
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestVerify(t *testing.T) {
	s := open(t, Options{})
	m := mustPut(t, s, "app", "first", "second")
	blob := filepath.Join(s.Dir(), "blobs/sha256", m.layers[0].Digest.Encoded())
	if err := os.Chmod(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, []byte("fir5t"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveBlob(m.layers[1].Digest); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"blobs/sha256/stray", "layers/stray"} {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var hashed int64
	faults, err := s.Verify(t.Context(), func(done, _ int64) { hashed = max(hashed, done) })
	if err != nil {
		t.Fatal(err)
	}
	const app = "docker.io/library/app:latest"
	want := map[string]bool{
		blob + ": its content has the digest " + digest.FromString("fir5t").String(): true,
		app + ": its layer " + m.layers[0].Digest.String() + " is damaged":           true,
		app + ": its layer " + m.layers[1].Digest.String() + " is missing":           true,
		filepath.Join(s.Dir(), "blobs/sha256/stray") + ": its name is not a digest":  true,
		filepath.Join(s.Dir(), "layers/stray") + ": its name is not a chain id":      true,
	}
	for _, f := range faults {
		if !want[f.String()] {
			t.Errorf("not expected: %s", f)
		}
		delete(want, f.String())
	}
	for f := range want {
		t.Errorf("not found: %s", f)
	}
	if hashed == 0 {
		t.Error("no progress")
	}
	if n, err := s.Repair(faults); err != nil || n != 1 || s.Has(m.layers[0].Digest) {
		t.Errorf("repaired %d, %v", n, err)
	}
	if _, err := put(s, "first", "second"); err != nil {
		t.Fatal(err)
	}
	if faults, err := s.Verify(t.Context(), nil); err != nil || len(faults) != 2 {
		t.Errorf("pulled again: %v, %v", faults, err)
	}
}
