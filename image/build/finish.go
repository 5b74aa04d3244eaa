package build

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// finish makes the image of the target: layers packed, configuration, manifest.
func (b *builder) finish(ctx context.Context, s *state) (Built, error) {
	step := b.o.Display.Step(b.platformed("exporting"))
	built, err := b.export(ctx, s)
	if err != nil {
		step.Fail(err)
		return built, err
	}
	step.Done()
	return built, nil
}

func (b *builder) platformed(text string) string {
	if len(b.o.Platforms) > 1 {
		return text + " " + image.FormatPlatform(b.platform)
	}
	return text
}

func (b *builder) export(ctx context.Context, s *state) (Built, error) {
	if s.files != nil {
		var err error
		if s, err = b.settleFiles(ctx, s, b.plan.Target); err != nil {
			return Built{}, err
		}
	}
	for _, l := range s.layers {
		if err := l.wait(ctx); err != nil {
			return Built{}, err
		}
	}
	if b.o.Files {
		if _, err := dirs(ctx, s.layers); err != nil {
			return Built{}, err
		}
	}
	if b.o.Squash {
		if err := b.squash(ctx, s); err != nil {
			return Built{}, fmt.Errorf("squash: %w", err)
		}
	}
	if err := b.keeper.flush(); err != nil {
		return Built{}, err
	}
	config := b.finalConfig(s)
	built := Built{Platform: config.Platform, Image: config}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: []image.Descriptor{}, Annotations: b.o.Annotations.Manifest}
	for _, l := range s.layers {
		built.Layers = append(built.Layers, l.chain)
		if b.o.CacheOnly {
			continue
		}
		blob, err := b.outgoing(ctx, s, l)
		if err != nil {
			return built, err
		}
		manifest.Layers = append(manifest.Layers, plainDescriptor(blob))
	}
	if b.o.CacheOnly {
		return built, b.exportCache(ctx, s, &built)
	}
	var err error
	if built.Config, err = b.writeConfig(ctx, s, config); err != nil {
		return built, err
	}
	manifest.Config = built.Config
	if built.Manifest, err = b.writeJSON(ocispec.MediaTypeImageManifest, manifest); err != nil {
		return built, err
	}
	return built, b.exportCache(ctx, s, &built)
}

// plainDescriptor leaves out what another image's manifest said about a layer.
func plainDescriptor(d image.Descriptor) image.Descriptor {
	return image.Descriptor{MediaType: ociLayerType(d.MediaType), Digest: d.Digest, Size: d.Size}
}

// ociLayerType is the OCI name of a layer's type: a manifest has one family of types.
func ociLayerType(t string) string {
	switch t {
	case image.DockerLayerGzip, image.DockerLayerForeign:
		return ocispec.MediaTypeImageLayerGzip
	case image.DockerLayer:
		return ocispec.MediaTypeImageLayer
	}
	return t
}

// finalConfig is the configuration that the image gets.
func (b *builder) finalConfig(s *state) *image.Config {
	config := s.config
	config.RootFS.DiffIDs = nil
	for _, l := range s.layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
	}
	if config.RootFS.DiffIDs == nil {
		config.RootFS.DiffIDs = []digest.Digest{}
	}
	config.Platform = s.platform
	if len(b.o.Labels) > 0 {
		labels := maps.Clone(config.Config.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, b.o.Labels)
		config.Config.Labels = labels
	}
	s.datedHistory(b.o.Epoch)
	return config
}

func (b *builder) writeJSON(mediaType string, v any) (image.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	d := image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	return d, b.o.Store.WriteBlob(d, raw)
}

// publish makes an index of several platforms and gives the result its names.
func (o *Options) publish(r *Result) error {
	if err := o.publishCache(r); err != nil {
		return err
	}
	if o.CacheOnly {
		return o.Store.Sync()
	}
	if len(r.Images) == 1 {
		r.Descriptor = r.Images[0].Manifest
	} else {
		var err error
		if r.Descriptor, err = o.writeIndex(r, o.Annotations, func(built Built) image.Descriptor { return built.Manifest }); err != nil {
			return err
		}
	}
	for _, name := range o.Tags {
		if err := o.Store.Tag(name, r.Descriptor); err != nil {
			return fmt.Errorf("tag %s: %w", name.Familiar(), err)
		}
	}
	if len(o.Tags) == 0 {
		return o.Store.Sync()
	}
	return nil
}

// writeIndex makes an index of one manifest of each platform.
func (o *Options) writeIndex(r *Result, a Annotations, of func(Built) image.Descriptor) (image.Descriptor, error) {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Annotations: a.Index}
	for _, i := range r.Images {
		d, p := of(i), i.Platform
		d.Platform, d.Annotations = &p, a.Descriptor
		index.Manifests = append(index.Manifests, d)
	}
	b := &builder{o: o}
	return b.writeJSON(ocispec.MediaTypeImageIndex, index)
}
