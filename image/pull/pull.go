package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"berth/image"
	"berth/image/layer"
	"berth/image/progress"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Options say what is pulled, from where and where to.
type Options struct {
	Store  *store.Store
	Source image.Source
	Ref    image.Reference
	// Name is what the image is called in the store; the zero value: Ref.
	Name image.Reference
	// Op is what it is called in errors; empty: pull.
	Op string
	// Platforms are those whose images are fetched; none: the host's.
	Platforms []image.Platform
	// All fetches the images of all platforms.
	All bool
	// Unpack makes directories of the layers as well: of the one image, or of the
	// host's when there are several.
	Unpack bool
	// Apply says how layers are unpacked; HostApply is the usual.
	Apply    layer.ApplyOptions
	Progress *progress.Display
	// Fetches is how many blobs are fetched at once; 0: 4.
	Fetches int
	// Unpacks is how many layers are unpacked at once; 0: as the processors allow.
	Unpacks int
}

// Result says what a pull has done.
type Result struct {
	// Descriptor is what the name stands for now: an index or a manifest.
	Descriptor image.Descriptor
	// Image is the manifest of the platform that was asked for, or the host's.
	Image    image.Descriptor
	Manifest *ocispec.Manifest
	// Config is its configuration; nil for what is no image.
	Config *image.Config
	// Chain are the ids of its unpacked layers, lowest first, if they are unpacked.
	Chain []digest.Digest
	// Unchanged: the store had all of it under this name.
	Unchanged bool
	// Fetched is how many bytes of blobs came from the source.
	Fetched int64
	// Skipped are entries that a user namespace cannot make: devices.
	Skipped []string
}

// Pull fetches an image and gives it its name in the store, in this order: whoever
// finds the name finds all of the image. It holds the store's Use.
func Pull(ctx context.Context, o Options) (Result, error) {
	if o.Name.IsZero() {
		o.Name = o.Ref
	}
	release, err := o.Store.Use(ctx)
	if err != nil {
		return Result{}, err
	}
	defer release()
	r, err := newPuller(ctx, o).pull()
	if err != nil {
		return Result{}, fmt.Errorf("%s %s: %w", cmp.Or(o.Op, "pull"), o.Name.Familiar(), advised(err))
	}
	return r, nil
}

// Unpack unpacks the layers of an image that is in the store, and returns their
// chain ids, lowest first. The layers are synced to the disk by the store's next Tag
// or Sync. The caller holds Use, and keeps it as long as it relies on layers that no
// name holds.
func Unpack(ctx context.Context, o Options, manifest image.Descriptor) ([]digest.Digest, error) {
	p := newPuller(ctx, o)
	p.o.Source = nil
	m, _, err := o.Store.ReadManifest(manifest)
	if err == nil && m.Image == nil {
		err = errors.New("it is an index, not the manifest of an image")
	}
	if err == nil {
		_, err = p.image(manifest, m.Image, true)
	}
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", manifest.Digest, advised(err))
	}
	return p.result.Chain, nil
}

// puller is one run of Pull.
type puller struct {
	ctx     context.Context
	o       Options
	fetches *slots
	unpacks *slots
	result  Result
	// changed: something came into the store.
	changed atomic.Bool
	fetched atomic.Int64
}

func newPuller(ctx context.Context, o Options) *puller {
	if o.Fetches <= 0 {
		o.Fetches = 4
	}
	if o.Unpacks <= 0 {
		// One more than processors: while one waits for the disk another computes.
		o.Unpacks = min(8, runtime.GOMAXPROCS(0)+1)
	}
	return &puller{ctx: ctx, o: o, fetches: newSlots(o.Fetches), unpacks: newSlots(o.Unpacks)}
}

func (p *puller) pull() (Result, error) {
	top, m, raw, err := p.resolve()
	if err != nil {
		return Result{}, err
	}
	p.result.Descriptor = top
	wanted, err := p.choose(top, m)
	if err != nil {
		return Result{}, err
	}
	for i, w := range wanted {
		if err := p.one(w, i == mainImage(wanted), raw); err != nil {
			return Result{}, err
		}
	}
	p.result.Fetched = p.fetched.Load()
	known, err := p.o.Store.Named(p.o.Name)
	if err == nil && known.Digest == top.Digest && !p.changed.Load() {
		p.result.Unchanged = true
		return p.result, nil
	}
	if err := p.o.Store.WriteBlob(top, raw); err != nil {
		return Result{}, err
	}
	return p.result, p.o.Store.Tag(p.o.Name, top)
}

// mainImage is the index of the image that Result describes: the host's, or the
// first.
func mainImage(wanted []image.Descriptor) int {
	if len(wanted) == 1 {
		return 0
	}
	host := image.HostPlatform()
	return max(0, slices.IndexFunc(wanted, func(d image.Descriptor) bool {
		return d.Platform != nil && image.MatchPlatform(*d.Platform, host)
	}))
}

// one pulls the image of one platform. raw is the manifest when it was the answer
// to the name itself.
func (p *puller) one(d image.Descriptor, main bool, raw []byte) error {
	if d.Digest != p.result.Descriptor.Digest {
		raw = nil
	}
	m, raw, err := p.fetchManifest(d, raw)
	if err != nil {
		return err
	}
	if m.Image == nil {
		// An index in an index: choose has listed its images before it.
		return p.keep(d, raw)
	}
	d.MediaType = m.MediaType
	config, err := p.image(d, m.Image, main && p.o.Unpack)
	if err != nil {
		return err
	}
	if main {
		p.result.Image, p.result.Manifest, p.result.Config = d, m.Image, config
	}
	return p.keep(d, raw)
}

// fits refuses an image without an index that is for none of the platforms that were
// asked for. Where none was, the image is what there is.
func (p *puller) fits(d image.Descriptor, config *image.Config) error {
	if config == nil || len(p.o.Platforms) == 0 || d.Digest != p.result.Descriptor.Digest || config.Architecture == "" {
		return nil
	}
	for _, want := range p.o.Platforms {
		if image.MatchPlatform(config.Platform, want) {
			return nil
		}
	}
	return fmt.Errorf("platform %s: the image is for %s", image.FormatPlatform(p.o.Platforms[0]), image.FormatPlatform(config.Platform))
}
