package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/image"
	"berth/image/layer"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	dockerManifest = "manifest.json"
	// maxImages is how many images docker's archive may hold.
	maxImages = 1000
)

// dockerEntry is one image in manifest.json.
type dockerEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

var errNoManifest = errors.New("there is no manifest.json")

// readDocker reads docker's archive. It has no manifests: they are made from the
// configurations and the layers.
func (a *Archive) readDocker(ctx context.Context) error {
	raw, err := read(a.fs, dockerManifest, maxJSON)
	if errors.Is(err, os.ErrNotExist) {
		return errNoManifest
	}
	if err != nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return a.readDir(raw)
	}
	var list []dockerEntry
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read %s: %w", dockerManifest, err)
	}
	if len(list) > maxImages {
		return fmt.Errorf("%s: %d images are above the limit of %d", dockerManifest, len(list), maxImages)
	}
	for i, e := range list {
		if err := a.addDocker(ctx, e); err != nil {
			return fmt.Errorf("%s: image %d: %w", dockerManifest, i, err)
		}
	}
	return nil
}

func (a *Archive) addDocker(ctx context.Context, e dockerEntry) error {
	d, err := a.makeManifest(ctx, e)
	if err != nil {
		return err
	}
	if len(e.RepoTags) == 0 {
		return a.add(Entry{Descriptor: d})
	}
	for _, tag := range e.RepoTags {
		name, err := image.ParseReference(tag)
		if err != nil {
			return err
		}
		if err := a.add(Entry{Name: name, Tag: tag, Descriptor: d}); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) makeManifest(ctx context.Context, e dockerEntry) (image.Descriptor, error) {
	raw, err := read(a.fs, e.Config, image.MaxManifest)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("configuration: %w", err)
	}
	config, err := image.ParseConfig(raw)
	if err != nil {
		return image.Descriptor{}, err
	}
	if len(config.RootFS.DiffIDs) != len(e.Layers) {
		return image.Descriptor{}, fmt.Errorf("its configuration lists %d layers, the archive %d", len(config.RootFS.DiffIDs), len(e.Layers))
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: image.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(raw), Size: int64(len(raw))},
		Layers: []image.Descriptor{},
	}
	a.where[m.Config.Digest] = e.Config
	for i, name := range e.Layers {
		d, err := a.layer(ctx, name, config.RootFS.DiffIDs[i])
		if err != nil {
			return image.Descriptor{}, fmt.Errorf("layer %d: %w", i, err)
		}
		m.Layers = append(m.Layers, d)
	}
	made, err := json.Marshal(m)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("encode manifest: %w", err)
	}
	d := image.Descriptor{
		MediaType: m.MediaType, Digest: digest.FromBytes(made), Size: int64(len(made)),
		Platform: &config.Platform,
	}
	a.made[d.Digest] = made
	return d, nil
}

// layer describes a layer. One that is not compressed has the digest that the
// configuration says, or is refused when it is fetched; another is hashed here.
func (a *Archive) layer(ctx context.Context, name string, diffID digest.Digest) (image.Descriptor, error) {
	f, err := a.fs.open(name)
	if err != nil {
		return image.Descriptor{}, err
	}
	defer f.Close()
	var head [6]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return image.Descriptor{}, err
	}
	d := image.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: diffID, Size: f.Size()}
	switch layer.Sniff(head[:n]) {
	case layer.Gzip:
		d.MediaType = ocispec.MediaTypeImageLayerGzip
	case layer.Zstd:
		d.MediaType = ocispec.MediaTypeImageLayerZstd
	default:
		a.where[d.Digest] = name
		return d, nil
	}
	if d.Digest = a.hashed[name]; d.Digest == "" {
		hash := digest.SHA256.Digester()
		if _, err := io.Copy(hash.Hash(), image.Until(ctx, f)); err != nil {
			return image.Descriptor{}, err
		}
		d.Digest = hash.Digest()
		a.hashed[name] = d.Digest
	}
	a.where[d.Digest] = name
	return d, nil
}
