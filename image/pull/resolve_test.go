package pull

import (
	"context"
	"errors"
	"os"
	"testing"

	"berth/image"
	"berth/image/store"
)

// heading is a source that tells what names stand for.
type heading struct {
	*memory
	heads, resolved int
	fault           error
}

func (h *heading) Head(_ context.Context, ref image.Reference) (image.Descriptor, error) {
	h.heads++
	if h.fault != nil {
		return image.Descriptor{}, h.fault
	}
	return h.refs[ref.String()], nil
}

func (h *heading) Resolve(ctx context.Context, ref image.Reference) (image.Descriptor, []byte, error) {
	h.resolved++
	return h.memory.Resolve(ctx, ref)
}

func (h *heading) pull(t *testing.T, s *store.Store, ref image.Reference, unchanged bool, heads, resolved int) {
	t.Helper()
	h.heads, h.resolved = 0, 0
	r, err := Pull(context.Background(), Options{Store: s, Source: h, Ref: ref, Unpack: true, Apply: HostApply()})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	if r.Unchanged != unchanged || h.heads != heads || h.resolved != resolved {
		t.Errorf("unchanged %t, asked %d times for the head, %d times for all of it, want %t, %d, %d", r.Unchanged, h.heads, h.resolved, unchanged, heads, resolved)
	}
}

// What is known is not sent again: registries count manifests that they send.
func TestUnchangedAsksForTheHead(t *testing.T) {
	root(t)
	h, s := &heading{memory: newMemory()}, newStore(t)
	first := h.image(t, gz(t, "f", "1"))
	ref := h.tag(t, "test/image", first)
	h.pull(t, s, ref, false, 0, 1)
	h.pull(t, s, ref, true, 1, 0)

	h.fault = image.ErrNotFound // it does not tell
	h.pull(t, s, ref, true, 1, 1)
	h.fault = errors.New("the line is dead")
	if _, err := Pull(context.Background(), Options{Store: s, Source: h, Ref: ref}); !errors.Is(err, h.fault) {
		t.Errorf("a dead line: %v", err)
	}
	h.fault = nil

	h.tag(t, "test/image", h.image(t, gz(t, "f", "2")))
	h.pull(t, s, ref, false, 1, 1)

	byDigest, err := ref.WithDigest(first.Digest)
	if err != nil {
		t.Fatal(err)
	}
	h.refs[byDigest.String()] = first
	h.pull(t, s, byDigest, false, 0, 1) // the store does not know any more who has it
	h.pull(t, s, byDigest, true, 0, 0)
}

// A digest becomes a name, whoever else has the content; only a name of the same
// repository makes it known that the registry has it.
func TestDigestGetsItsName(t *testing.T) {
	root(t)
	h, s := &heading{memory: newMemory()}, newStore(t)
	d := h.image(t, gz(t, "f", "1"))
	h.pull(t, s, h.tag(t, "test/image", d), false, 0, 1)
	for _, c := range []struct {
		repository string
		resolved   int
	}{{"test/image", 0}, {"test/other", 1}} {
		ref, err := h.tag(t, c.repository, d).WithDigest(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		h.refs[ref.String()] = d
		h.pull(t, s, ref, false, 0, c.resolved)
		if named, err := s.Named(ref); err != nil || named.Digest != d.Digest {
			t.Errorf("%s: %v, %v", ref, named, err)
		}
		h.pull(t, s, ref, true, 0, 0)
	}
}

// A manifest that the disk has spoilt is no reason to believe that all is well.
func TestDamagedManifestComesAgain(t *testing.T) {
	root(t)
	h, s := &heading{memory: newMemory()}, newStore(t)
	d := h.image(t, gz(t, "f", "1"))
	ref := h.tag(t, "test/image", d)
	h.pull(t, s, ref, false, 0, 1)
	f, err := s.Blob(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, spoil := range []func(string) error{
		os.Remove,
		func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, make([]byte, d.Size), 0o444))
		},
	} {
		if err := spoil(f.Name()); err != nil {
			t.Fatal(err)
		}
		h.pull(t, s, ref, false, 1, 1)
	}
}
