package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"berth/image"
	"berth/image/layer"
	"berth/image/pull"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/urfave/cli/v2"
)

func (b *berth) importTree() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "make an image with one layer from the archive of a root file system",
		ArgsUsage: "FILE [NAME]",
		Description: "FILE is a tar archive, as 'berth export' writes it, compressed with gzip or zstd or\n" +
			"not; - is stdin. Without NAME the image is found by its digest, which is printed.\n" +
			"--change takes the instructions of a Dockerfile that change the configuration only.\n\n" +
			"   berth import rootfs.tar.gz base:1\n" +
			"   berth export web | berth import --change 'CMD [\"nginx\"]' - web:frozen",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "change", Aliases: []string{"c"}, Usage: "apply a Dockerfile `INSTRUCTION`"},
			&cli.StringFlag{Name: "message", Aliases: []string{"m"}, Usage: "`TEXT` for the history"},
			&cli.StringFlag{Name: "platform", Usage: "the image is for `OS/ARCH` (default: the host's)"},
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "FILE", "[NAME]")
			if err != nil {
				return err
			}
			var name image.Reference
			if len(args) == 2 {
				if name, err = newName(args[1]); err != nil {
					return err
				}
			}
			config, err := importedConfig(c, args[0])
			if err != nil {
				return err
			}
			if err := b.enter(false); err != nil {
				return err
			}
			f := os.Stdin
			if args[0] != "-" {
				if f, err = os.Open(args[0]); err != nil {
					return err
				}
				defer f.Close()
				if st, err := f.Stat(); err == nil && st.IsDir() {
					return &command.Error{Code: command.ExitFailure, Err: fmt.Errorf("import %s: it is a directory", args[0]), Cure: "tar -C " + args[0] + " -c . | berth import - NAME"}
				}
			}
			s, err := b.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			d, err := b.importLayer(s, f, config, name, args[0])
			if err != nil {
				return err
			}
			return command.PrintBytes(out(c), []byte(d.String()+"\n"))
		},
	}
}

// importedConfig is the configuration, but for the layer.
func importedConfig(c *cli.Context, from string) (*image.Config, error) {
	config := &image.Config{}
	config.Platform = image.HostPlatform()
	if p := c.String("platform"); p != "" {
		var err error
		if config.Platform, err = image.ParsePlatform(p); err != nil {
			return nil, err
		}
	}
	for _, line := range c.StringSlice("change") {
		if err := change(config, line); err != nil {
			return nil, err
		}
	}
	now := time.Now().UTC()
	comment := c.String("message")
	if comment == "" {
		comment = "imported from " + from
	}
	config.Created = &now
	config.History = []ocispec.History{{Created: &now, Comment: comment}}
	config.RootFS.Type = "layers"
	return config, nil
}

// importLayer makes layer, configuration and manifest; the layer is unpacked, which
// shows whether it is one, before it gets a name.
func (b *berth) importLayer(s *store.Store, f io.Reader, config *image.Config, name image.Reference, from string) (digest.Digest, error) {
	release, err := s.Use(b.ctx)
	if err != nil {
		return "", err
	}
	defer release()
	l, diffID, err := packLayer(b.ctx, s, f)
	if err != nil {
		return "", fmt.Errorf("import %s: %w", from, err)
	}
	config.RootFS.DiffIDs = []digest.Digest{diffID}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Layers: []image.Descriptor{l}}
	if m.Config, err = writeDocument(s, ocispec.MediaTypeImageConfig, config); err != nil {
		return "", err
	}
	d, err := writeDocument(s, m.MediaType, m)
	if err != nil {
		return "", err
	}
	_, err = pull.Unpack(b.ctx, pull.Options{Store: s, Apply: apply()}, d)
	if errors.Is(err, layer.ErrNoArchive) {
		err = layer.ErrNoArchive // the digests before it say nothing to whoever gave a file
	}
	if err != nil {
		return "", fmt.Errorf("import %s: %w", from, err)
	}
	if name.IsZero() {
		if name, err = unnamed("imported", d.Digest); err != nil {
			return "", err
		}
	}
	return d.Digest, s.Tag(name, d)
}

// packLayer stores an archive, compressed anew, as a layer.
func packLayer(ctx context.Context, s *store.Store, f io.Reader) (d image.Descriptor, diffID digest.Digest, err error) {
	plain, err := layer.Decompress("", f)
	if err != nil {
		return d, "", err
	}
	defer plain.Close()
	w, err := s.NewBlob(ctx)
	if err != nil {
		return d, "", err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	packed, err := layer.Compress(w, layer.Compression{Kind: layer.Gzip})
	if err != nil {
		return d, "", err
	}
	hash := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(packed, hash.Hash()), image.Until(ctx, plain))
	if err == nil && n == 0 {
		err = errors.New("it is empty")
	}
	if err = errors.Join(err, packed.Close()); err != nil {
		return d, "", err
	}
	d, err = w.Commit(ocispec.MediaTypeImageLayerGzip)
	return d, hash.Digest(), err
}

func writeDocument(s *store.Store, mediaType string, v any) (image.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	d := image.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	return d, s.WriteBlob(d, raw)
}
