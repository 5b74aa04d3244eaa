package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/image"
	"berth/image/layer"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// noise does not compress.
func noise(size int) string {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b)
	return string(b)
}

func TestPull(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	empty := testLayer{archive: archive(t), kind: layer.Gzip}
	ref := m.tag(t, "test/image", m.image(t,
		gz(t, "a/", "", "a/f", "low", "big", noise(3<<20)),
		empty,
		testLayer{archive: archive(t, "a/z", "zstd"), kind: layer.Zstd},
		testLayer{archive: archive(t, "a/.wh.f", ""), kind: layer.None},
		empty,
	))
	r := mustPull(t, s, m, ref)
	if len(r.Chain) != 5 || r.Config == nil || r.Unchanged {
		t.Fatalf("%+v", r)
	}
	if got := read(t, s, r, 0, "a/f"); got != "low" {
		t.Errorf("a/f = %q", got)
	}
	if got := read(t, s, r, 2, "a/z"); got != "zstd" {
		t.Errorf("a/z = %q", got)
	}
	dir, _ := s.Layer(r.Chain[3])
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(dir, "a/f"), &st); err != nil || st.Mode != unix.S_IFCHR {
		t.Errorf("a/f of layer 3 is no whiteout: %#o, %v", st.Mode, err)
	}
	before := m.sent.Load()
	again := mustPull(t, s, m, ref)
	if !again.Unchanged || m.sent.Load() != before || again.Fetched != 0 {
		t.Errorf("the second pull: unchanged %t, fetched %d", again.Unchanged, again.Fetched)
	}
	for d, n := range m.asked {
		if n > 1 {
			t.Errorf("%s was asked for %d times", d, n)
		}
	}
	if found, err := s.Lookup(ref); err != nil || found.Digest != r.Descriptor.Digest {
		t.Errorf("lookup: %v, %v", found, err)
	}
}

func TestPullDockerAndMislabelled(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	// The media type says gzip.
	l := testLayer{archive: archive(t, "f", "plain"), kind: layer.None, docker: true}
	r := mustPull(t, s, m, m.tag(t, "docker", m.image(t, l)))
	if got := read(t, s, r, 0, "f"); got != "plain" {
		t.Errorf("f = %q", got)
	}
}

func TestSharedLayersComeOnce(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	base := gz(t, "base", "x")
	one := m.tag(t, "one", m.image(t, base, gz(t, "one", "1")))
	two := m.tag(t, "two", m.image(t, base, gz(t, "two", "2")))
	mustPull(t, s, m, one)
	r := mustPull(t, s, m, two)
	shared := m.manifestOf(t, r.Descriptor).Layers[0]
	if n := m.times(shared.Digest); n != 1 {
		t.Errorf("the shared layer was asked for %d times", n)
	}
	if used := usedLayers(t, s); used != 3 {
		t.Errorf("%d layers are unpacked", used)
	}
}

func usedLayers(t *testing.T, s interface {
	Layers() ([]digest.Digest, error)
}) int {
	t.Helper()
	all, err := s.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestConcurrentPulls: many pulls of images that share layers, through two handles of
// one store, as two processes have them.
func TestConcurrentPulls(t *testing.T) {
	root(t)
	m := newMemory()
	a := newStore(t)
	b := openStore(t, a.Dir())
	var layers []testLayer
	for i := range 6 {
		layers = append(layers, gz(t, fmt.Sprintf("d%d/f", i), noise(200_000+i)))
	}
	full := m.tag(t, "full", m.image(t, layers...))
	half := m.tag(t, "half", m.image(t, layers[:3]...))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s, ref := a, full
			if i%2 == 1 {
				s = b
			}
			if i%3 == 0 {
				ref = half
			}
			if _, err := pullInto(s, m, ref); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	sound(t, a)
	for d, n := range m.asked {
		if n > 1 && m.blobs[d][0] != '{' {
			t.Errorf("layer %s was fetched %d times", d, n)
		}
	}
	if used := usedLayers(t, a); used != 6 {
		t.Errorf("%d layers are unpacked", used)
	}
}

func TestIndex(t *testing.T) {
	root(t)
	m := newMemory()
	amd, arm := m.image(t, gz(t, "arch", "amd64")), m.image(t, gz(t, "arch", "arm64"))
	amd.Platform = &image.Platform{OS: "linux", Architecture: "amd64"}
	arm.Platform = &image.Platform{OS: "linux", Architecture: "arm64"}
	inner := m.addJSON(t, ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []image.Descriptor{arm}})
	inner.Platform = arm.Platform
	index := m.addJSON(t, ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []image.Descriptor{amd, inner}})
	ref := m.tag(t, "multi", index)

	pullWith := func(o Options) (Result, error) {
		o.Store, o.Source, o.Ref, o.Unpack, o.Apply = newStore(t), m, ref, true, HostApply()
		r, err := Pull(context.Background(), o)
		if err == nil {
			sound(t, o.Store)
			if len(r.Chain) != 1 {
				t.Errorf("chain: %v", r.Chain)
			}
			for _, want := range []image.Descriptor{amd, arm} {
				if has := o.Store.Has(want.Digest); has != (o.All || want.Digest == r.Image.Digest) {
					t.Errorf("%s in the store: %t", want.Platform.Architecture, has)
				}
			}
		}
		return r, err
	}
	for arch, want := range map[string]image.Descriptor{"amd64": amd, "arm64": arm} {
		r, err := pullWith(Options{Platforms: []image.Platform{{OS: "linux", Architecture: arch}}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Image.Digest != want.Digest || r.Descriptor.Digest != index.Digest {
			t.Errorf("%s: %v", arch, r.Image)
		}
	}
	if _, err := pullWith(Options{All: true}); err != nil {
		t.Error(err)
	}
	if _, err := pullWith(Options{Platforms: []image.Platform{{OS: "linux", Architecture: "s390x"}}}); err == nil {
		t.Error("a platform that is not there: no error")
	}
}

func TestNoUnpackThenUnpack(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	ref := m.tag(t, "later", m.image(t, gz(t, "f", "x"), gz(t, "g", "y")))
	r, err := Pull(context.Background(), Options{Store: s, Source: m, Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, s)
	if used := usedLayers(t, s); used != 0 {
		t.Errorf("%d layers are unpacked", used)
	}
	chain, err := Unpack(context.Background(), Options{Store: s, Apply: HostApply()}, r.Image)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 2 || usedLayers(t, s) != 2 {
		t.Errorf("chain %v", chain)
	}
	sound(t, s)
}

// TestResume: what a failed pull has fetched is not fetched again.
func TestResume(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	ref := m.tag(t, "resume", m.image(t, gz(t, "big", noise(1<<20)), gz(t, "small", "s")))
	big := m.manifestOf(t, m.refs[ref.String()]).Layers[0]
	var cutAt int
	m.spoil = func(d digest.Digest, content []byte) []byte {
		if d == big.Digest {
			return content[:cutAt]
		}
		return content
	}
	cutAt = 600_000
	if _, err := pullInto(s, m, ref); err == nil {
		t.Fatal("a cut stream: no error")
	}
	sound(t, s)
	m.spoil = nil
	before := m.sent.Load()
	mustPull(t, s, m, ref)
	if more := m.sent.Load() - before; more > big.Size-int64(cutAt)+2000 {
		t.Errorf("the second pull fetched %d bytes", more)
	}
}

// TestResumeWithoutRanges: the source can only begin anew.
func TestResumeWithoutRanges(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	m.noRanges = true
	ref := m.tag(t, "resume", m.image(t, gz(t, "big", noise(1<<20))))
	m.spoil = func(_ digest.Digest, content []byte) []byte { return content[:len(content)/2] }
	if _, err := pullInto(s, m, ref); err == nil {
		t.Fatal("no error")
	}
	m.spoil = nil
	mustPull(t, s, m, ref)
}

// TestResumeOfGarbage: the partial blob is not what was fetched, as after a crash of
// the machine.
func TestResumeOfGarbage(t *testing.T) {
	root(t)
	for _, noRanges := range []bool{false, true} {
		m, s := newMemory(), newStore(t)
		m.noRanges = noRanges
		ref := m.tag(t, "garbage", m.image(t, gz(t, "big", noise(1<<20))))
		blob := m.manifestOf(t, m.refs[ref.String()]).Layers[0]
		release, err := s.Use(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.Ingest(context.Background(), blob)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(bytes.Repeat([]byte("garbage"), 10_000)); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		release()
		mustPull(t, s, m, ref)
	}
}

func TestParallelRanges(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	body := noise(rangedBlob + 5<<20)
	ref := m.tag(t, "large", m.image(t, testLayer{archive: archive(t, "f", body), kind: layer.None}))
	r := mustPull(t, s, m, ref)
	if got := read(t, s, r, 0, "f"); got != body {
		t.Error("other content")
	}
	if n := m.times(m.manifestOf(t, r.Descriptor).Layers[0].Digest); n < 5 {
		t.Errorf("%d requests", n)
	}
}

// TestWrongContent: nothing that is not what its digests say gets into the store.
func TestWrongContent(t *testing.T) {
	root(t)
	good := gz(t, "f", noise(100_000))
	cases := map[string]func(t *testing.T, m *memory) image.Descriptor{
		"other bytes": func(t *testing.T, m *memory) image.Descriptor {
			m.spoil = func(_ digest.Digest, c []byte) []byte {
				if c[0] != '{' {
					c = bytes.Clone(c)
					c[len(c)/2] ^= 1
				}
				return c
			}
			return m.image(t, good)
		},
		"too long": func(t *testing.T, m *memory) image.Descriptor {
			m.spoil = func(_ digest.Digest, c []byte) []byte {
				if c[0] == '{' {
					return c
				}
				return append(bytes.Clone(c), 0)
			}
			return m.image(t, good)
		},
		"wrong configuration": func(t *testing.T, m *memory) image.Descriptor {
			m.spoil = func(_ digest.Digest, c []byte) []byte { return append(bytes.Clone(c), ' ') }
			return m.image(t, good)
		},
		"too short": func(t *testing.T, m *memory) image.Descriptor {
			m.spoil = func(_ digest.Digest, c []byte) []byte {
				if c[0] == '{' {
					return c
				}
				return c[:len(c)-1]
			}
			return m.image(t, good)
		},
		"wrong diff id": func(t *testing.T, m *memory) image.Descriptor {
			l := good
			l.diffID = digest.FromString("something else")
			return m.image(t, good, l)
		},
		"not gzip": func(t *testing.T, m *memory) image.Descriptor {
			return m.image(t, testLayer{archive: []byte(strings.Repeat("not a tar ", 200)), kind: layer.None})
		},
		"cut gzip": func(t *testing.T, m *memory) image.Descriptor {
			d := m.image(t, good)
			manifest := m.manifestOf(t, d)
			blob := m.blobs[manifest.Layers[0].Digest]
			manifest.Layers[0] = m.add(ocispec.MediaTypeImageLayerGzip, blob[:len(blob)-100])
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
		"path that goes up": func(t *testing.T, m *memory) image.Descriptor {
			return m.image(t, gz(t, "../x", ""))
		},
		"fewer diff ids": func(t *testing.T, m *memory) image.Descriptor {
			d := m.image(t, good)
			manifest := m.manifestOf(t, d)
			manifest.Layers = append(manifest.Layers, manifest.Layers[0])
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
		"foreign layer": func(t *testing.T, m *memory) image.Descriptor {
			d := m.image(t, good)
			manifest := m.manifestOf(t, d)
			manifest.Layers[0].MediaType = image.DockerLayerForeign
			manifest.Layers[0].URLs = []string{"http://169.254.169.254/"}
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
		"two sizes": func(t *testing.T, m *memory) image.Descriptor {
			manifest := m.manifestOf(t, m.image(t, good, good))
			manifest.Layers[1].Size++
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
		"no image": func(t *testing.T, m *memory) image.Descriptor {
			manifest := m.manifestOf(t, m.image(t, good))
			manifest.Config.MediaType = "application/vnd.example.chart+json"
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
		"digest as a path": func(t *testing.T, m *memory) image.Descriptor {
			manifest := m.manifestOf(t, m.image(t, good))
			manifest.Layers[0].Digest = "sha256:../../../../tmp/x"
			return m.addJSON(t, ocispec.MediaTypeImageManifest, manifest)
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			m, s := newMemory(), newStore(t)
			ref := m.tag(t, "bad", prepare(t, m))
			_, err := pullInto(s, m, ref)
			if err == nil {
				t.Fatal("no error")
			}
			t.Log(err)
			if _, err := s.Lookup(ref); err == nil {
				t.Error("it has a name")
			}
			sound(t, s)
		})
	}
}

func TestOtherPlatformWithoutIndex(t *testing.T) {
	root(t)
	m := newMemory()
	d := m.image(t, gz(t, "f", ""))
	ref := m.tag(t, "single", d)
	for arch, fits := range map[string]bool{image.HostPlatform().Architecture: true, "s390x": false} {
		s := newStore(t)
		_, err := Pull(context.Background(), Options{Store: s, Source: m, Ref: ref, Platforms: []image.Platform{{OS: "linux", Architecture: arch}}})
		if (err == nil) != fits {
			t.Errorf("%s: %v", arch, err)
		}
		if has := s.Has(m.manifestOf(t, d).Layers[0].Digest); has != fits {
			t.Errorf("%s: the layer was fetched: %t", arch, has)
		}
		sound(t, s)
	}
}

func TestArtifactWithoutUnpacking(t *testing.T) {
	m, s := newMemory(), newStore(t)
	manifest := m.manifestOf(t, m.image(t, gz(t, "f", "")))
	manifest.Config.MediaType = "application/vnd.example.chart+json"
	ref := m.tag(t, "chart", m.addJSON(t, ocispec.MediaTypeImageManifest, manifest))
	r, err := Pull(context.Background(), Options{Store: s, Source: m, Ref: ref})
	if err != nil || r.Config != nil {
		t.Errorf("%+v, %v", r, err)
	}
	sound(t, s)
}

func TestCancelled(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	ref := m.tag(t, "slow", m.image(t, gz(t, "big", noise(4<<20)), gz(t, "big2", noise(3<<20))))
	m.slow = 1
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	m.spoil = func(_ digest.Digest, c []byte) []byte { cancel(stop); return c }
	_, err := Pull(ctx, Options{Store: s, Source: m, Ref: ref, Unpack: true, Apply: HostApply()})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	sound(t, s)
	m.slow, m.spoil = 0, nil
	mustPull(t, s, m, ref)
}

// TestLayersInAnotherOrder: two images have the same two layers in different order, and
// each layer needs the base below it. Neither pull waits for a blob that the other holds
// until it has the one that this one holds.
func TestLayersInAnotherOrder(t *testing.T) {
	root(t)
	m := newMemory()
	base := gz(t, "orig", noise(300_000))
	x, y := testLayer{archive: hardLink(t, "x", "orig"), kind: layer.Gzip}, testLayer{archive: hardLink(t, "y", "orig"), kind: layer.Gzip}
	refs := [2]image.Reference{m.tag(t, "one", m.image(t, base, x, y)), m.tag(t, "two", m.image(t, base, y, x))}
	for range 20 {
		s := newStore(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		ended := make(chan error, len(refs))
		for _, ref := range refs {
			go func() {
				_, err := Pull(ctx, Options{Store: s, Source: m, Ref: ref, Unpack: true, Apply: HostApply()})
				ended <- err
			}()
		}
		for range refs {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		sound(t, s)
	}
}

// TestHardLinkAcrossLayers: the layer that needs another waits for it and gives its
// place up meanwhile, so that one place is enough.
func TestHardLinkAcrossLayers(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	link := testLayer{archive: hardLink(t, "copy", "orig"), kind: layer.Gzip}
	ref := m.tag(t, "links", m.image(t, gz(t, "orig", "content"), link, gz(t, "x", noise(500_000))))
	r, err := Pull(context.Background(), Options{Store: s, Source: m, Ref: ref, Unpack: true, Apply: HostApply(), Unpacks: 1, Fetches: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, r, 1, "copy"); got != "content" {
		t.Errorf("copy = %q", got)
	}
}

// TestInheritedMetadata: a layer that does not name a directory leaves its mode alone.
func TestInheritedMetadata(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	ref := m.tag(t, "modes", m.image(t,
		testLayer{archive: modes(t, "./", 0o711, "tmp/", 0o1777), kind: layer.Gzip},
		gz(t, "etc/x", ""), gz(t, "tmp/y", "")))
	r := mustPull(t, s, m, ref)
	top, _ := s.Layer(r.Chain[2])
	for name, want := range map[string]os.FileMode{".": 0o711, "tmp": 0o777 | os.ModeSticky} {
		st, err := os.Stat(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode() &^ os.ModeDir; got != want {
			t.Errorf("%s: mode %v, want %v", name, got, want)
		}
	}
}

// TestNothingStaysOpen: broken layers leave no descriptor behind (CVE-2021-20291,
// CVE-2026-114236).
func TestNothingStaysOpen(t *testing.T) {
	root(t)
	m, s := newMemory(), newStore(t)
	whole := m.manifestOf(t, m.image(t, gz(t, "f", noise(50_000)), gz(t, "g", noise(60_000))))
	blob := m.blobs[whole.Layers[1].Digest]
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := 0
	for i := range 100 {
		broken := *whole
		broken.Layers = []image.Descriptor{whole.Layers[0], m.add(ocispec.MediaTypeImageLayerGzip, blob[:len(blob)*i/100])}
		ref := m.tag(t, "broken", m.addJSON(t, ocispec.MediaTypeImageManifest, broken))
		if _, err := pullInto(s, m, ref); err == nil {
			t.Fatalf("cut after %d%%: no error", i)
		}
		if i == 0 {
			before = count()
		}
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	sound(t, s)
}

func TestPipeReadsAll(t *testing.T) {
	for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize*5 + 3} {
		p := ahead(strings.NewReader(noise(size)))
		b, err := io.ReadAll(p)
		if err != nil || len(b) != size {
			t.Errorf("%d bytes of %d, %v", len(b), size, err)
		}
		p.close()
	}
	p := ahead(endless{})
	if _, err := io.CopyN(io.Discard, p, 1<<20); err != nil {
		t.Error(err)
	}
	p.close()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
