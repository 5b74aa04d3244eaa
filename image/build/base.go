package build

import (
	"context"
	"fmt"
	"strings"
	"time"

	"berth/image"
	"berth/image/build/plan"

	"github.com/moby/buildkit/util/suggest"
	"github.com/opencontainers/go-digest"
)

// base is the state that a stage starts from.
func (b *builder) base(ctx context.Context, cancel context.CancelCauseFunc, s *plan.Stage) (*state, error) {
	if s.Context != "" {
		return b.namedBase(ctx, s, b.o.Contexts[s.Context])
	}
	if s.Parent != nil {
		parent, err := b.stage(ctx, cancel, s.Parent)
		if err != nil {
			return nil, err
		}
		if parent.files != nil {
			return b.settleFiles(ctx, parent, s)
		}
		c := parent.child()
		if s.Platform != nil && !image.MatchPlatform(parent.platform, *s.Platform) {
			return nil, fmt.Errorf("stage %s is for %s, not %s", s.Parent.Label(), image.FormatPlatform(parent.platform), image.FormatPlatform(*s.Platform))
		}
		return c, nil
	}
	platform := b.platform
	if s.Platform != nil {
		platform = *s.Platform
	}
	if s.Base == plan.Scratch {
		return b.scratch(platform)
	}
	ref, err := image.ParseReference(s.Base)
	if err != nil {
		return nil, b.nearStage(err, s.Base)
	}
	return b.imageBase(ctx, ref, platform)
}

func (b *builder) nearStage(err error, name string) error {
	return suggest.WrapError(err, name, b.plan.Names(), false)
}

func (b *builder) scratch(platform image.Platform) (*state, error) {
	key, err := keyOf("scratch", b.epochPart(), image.FormatPlatform(platform))
	if err != nil {
		return nil, err
	}
	config := emptyConfig(platform)
	return &state{key: key, config: config, env: plan.EnvOf(config.Config.Env), platform: platform, started: b.now()}, nil
}

// epochPart is in every key: times are part of layers when they are bounded.
func (b *builder) epochPart() string {
	if b.o.Epoch == nil {
		return ""
	}
	return b.o.Epoch.UTC().Format(time.RFC3339Nano)
}

// imageBase gets an image, from the registry if need be.
func (b *builder) imageBase(ctx context.Context, ref image.Reference, platform image.Platform) (*state, error) {
	step := b.o.Display.Step("[internal] load " + ref.Familiar())
	manifest, err := b.o.Images.Image(ctx, ref, platform, b.o.Pull)
	if err != nil {
		step.Fail(err)
		// Whatever the registry said, or that there is none: a stage may be meant.
		return nil, b.nearStage(err, strings.TrimSuffix(ref.Familiar(), ":latest"))
	}
	step.Done()
	return b.stateOf(ctx, manifest, platform)
}

// stateOf starts from an image in the store.
func (b *builder) stateOf(ctx context.Context, manifest image.Descriptor, platform image.Platform) (*state, error) {
	img, err := b.o.Store.Image(manifest, platform)
	if err != nil {
		return nil, err
	}
	config, _, err := b.o.Store.ReadConfig(img.Manifest.Config)
	if err != nil {
		return nil, err
	}
	if len(config.RootFS.DiffIDs) != len(img.Manifest.Layers) {
		return nil, fmt.Errorf("image %s: %d layers in the manifest, %d in the configuration", manifest.Digest, len(img.Manifest.Layers), len(config.RootFS.DiffIDs))
	}
	if config.OS != "" && config.OS != "linux" {
		return nil, fmt.Errorf("image %s: it is for %s; only linux images can be built on", manifest.Digest, config.OS)
	}
	if config.OS != "" && config.Architecture != "" {
		platform = config.Platform
	}
	chain := image.ChainIDs(config.RootFS.DiffIDs)
	if err := b.unpacked(ctx, img.Descriptor, chain); err != nil {
		return nil, err
	}
	s := &state{config: cloneConfig(config), platform: platform, started: b.now(), triggers: config.Config.OnBuild}
	created := time.Time{}
	if config.Created != nil {
		created = *config.Created
	}
	for i, c := range chain {
		blob := img.Manifest.Layers[i]
		s.layers = append(s.layers, b.known(s.topLayer(), c, config.RootFS.DiffIDs[i], &blob, created))
	}
	s.baseLayers, s.inherited = len(s.layers), len(config.History)
	s.completeConfig()
	last := digest.Digest("")
	if len(chain) > 0 {
		last = chain[len(chain)-1]
	}
	s.key, err = keyOf("image", b.epochPart(), last, image.FormatPlatform(platform))
	return s, err
}

func (s *state) topLayer() *buildLayer {
	if len(s.layers) == 0 {
		return nil
	}
	return s.layers[len(s.layers)-1]
}

// completeConfig adds what each stage can rely on, and takes away what is only for
// the image itself.
func (s *state) completeConfig() {
	s.config.Config.OnBuild = nil
	env := plan.EnvOf(s.config.Config.Env)
	if _, ok := env.Get("PATH"); !ok {
		env = env.With("PATH", defaultPath)
		s.config.Config.Env = append(s.config.Config.Env, "PATH="+defaultPath)
	}
	s.env = env
	s.config.Created = nil
	if s.config.RootFS.Type == "" {
		s.config.RootFS.Type = "layers"
	}
}

// unpacked makes sure that the layers of an image are there as directories.
func (b *builder) unpacked(ctx context.Context, manifest image.Descriptor, chain []digest.Digest) error {
	for _, c := range chain {
		if _, ok := b.o.Store.Layer(c); !ok {
			return b.o.Images.Unpack(ctx, manifest)
		}
	}
	return nil
}

// namedBase starts from an additional context.
func (b *builder) namedBase(ctx context.Context, s *plan.Stage, n Named) (*state, error) {
	platform := b.platform
	if s.Platform != nil {
		platform = *s.Platform
	}
	if n.Manifest != nil {
		return b.stateOf(ctx, *n.Manifest, platform)
	}
	if n.Context == nil {
		return b.imageBase(ctx, n.Image, platform)
	}
	// Files: a stage that has them as its one layer, and no configuration.
	return b.filesBase(ctx, s, n.Context, platform)
}
