package cli

import (
	"encoding/json"
	"fmt"

	"berth/image"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) inspect() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show an image's manifest and configuration",
		ArgsUsage: "IMAGE...",
		Description: "Prints an array with an object for each image: its names, digests, sizes, whether\n" +
			"its layers are unpacked, manifest and configuration. --raw prints the bytes that\n" +
			"the digest is of.\n\n" +
			"   berth inspect busybox\n" +
			"   berth inspect --raw config busybox\n" +
			"   berth inspect --platform linux/arm64 busybox",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "platform", Usage: "of the images of an index the one for `OS/ARCH`, if the store has it (default: the host's, or the only one)"},
			&cli.StringFlag{Name: "raw", Usage: "print one `DOCUMENT` as it is: index, manifest or config"},
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				_, err := command.Arguments(c, "IMAGE")
				return err
			}
			s, err := b.readStore()
			if err != nil {
				return err
			}
			defer s.Close()
			if raw := c.String("raw"); raw != "" {
				return printRaw(c, s, raw)
			}
			all := []imageDetails{}
			err = several(c.Args().Slice(), func(word string) error {
				d, err := inspectImage(s, word, c.String("platform"))
				if err == nil {
					all = append(all, d)
				}
				return err
			})
			if len(all) > 0 || err == nil {
				if err := command.PrintJSON(out(c), all, "  "); err != nil {
					return err
				}
			}
			return err
		},
	}
}

// imageDetails is what inspect prints.
type imageDetails struct {
	Names []string `json:"names"`
	// Digest is what the name stands for; Index is there if that is one.
	Digest   digest.Digest   `json:"digest"`
	ID       digest.Digest   `json:"id"`
	Platform string          `json:"platform"`
	Size     int64           `json:"size"`
	Unpacked *int64          `json:"unpacked,omitempty"`
	Layers   []layerDetails  `json:"layers"`
	Index    json.RawMessage `json:"index,omitempty"`
	// ManifestDigest is that of Manifest: the image's own.
	ManifestDigest digest.Digest   `json:"manifestDigest"`
	Manifest       json.RawMessage `json:"manifest"`
	Config         json.RawMessage `json:"config"`
}

type layerDetails struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	DiffID    digest.Digest `json:"diffID,omitempty"`
	ChainID   digest.Digest `json:"chainID,omitempty"`
	// Path is the directory of the unpacked layer.
	Path string `json:"path,omitempty"`
}

// pick finds the image that a word and a platform mean.
func pick(s *store.Store, word, platform string) (store.Ref, store.Image, error) {
	ref, err := s.Find(word)
	if err != nil {
		return ref, store.Image{}, err
	}
	want := image.HostPlatform()
	if platform != "" {
		if want, err = image.ParsePlatform(platform); err != nil {
			return ref, store.Image{}, err
		}
	} else if images := s.Images(ref.Descriptor); len(images) == 1 {
		return ref, images[0], nil
	}
	img, err := s.Image(ref.Descriptor, want)
	if err != nil || platform == "" {
		return ref, img, err
	}
	// A manifest alone is taken as it is, but not for what it is not.
	config, _, err := s.ReadConfig(img.Manifest.Config)
	if err != nil {
		return ref, img, err
	}
	if !image.MatchPlatform(config.Platform, want) {
		return ref, img, fmt.Errorf("image %s: it is for %s, not %s", word, image.FormatPlatform(config.Platform), image.FormatPlatform(want))
	}
	return ref, img, nil
}

func inspectImage(s *store.Store, word, platform string) (imageDetails, error) {
	ref, img, err := pick(s, word, platform)
	if err != nil {
		return imageDetails{}, err
	}
	row := describeImage(s, img)
	d := imageDetails{
		Digest: ref.Descriptor.Digest, ID: row.ID, Platform: row.Platform, Size: row.Size, Unpacked: row.Unpacked,
		ManifestDigest: img.Descriptor.Digest, Names: []string{}, Layers: []layerDetails{},
	}
	if ref.Descriptor.Digest != img.Descriptor.Digest {
		if _, d.Index, err = s.ReadManifest(ref.Descriptor); err != nil {
			return d, err
		}
	}
	if _, d.Manifest, err = s.ReadManifest(img.Descriptor); err != nil {
		return d, err
	}
	refs, err := s.Refs()
	if err != nil {
		return d, err
	}
	for _, r := range refs {
		if r.Descriptor.Digest == ref.Descriptor.Digest {
			d.Names = append(d.Names, r.Name)
		}
	}
	raw, err := s.ReadBlob(img.Manifest.Config, image.MaxManifest)
	if err != nil {
		return d, err
	}
	if d.Config = raw; !json.Valid(raw) {
		d.Config = nil // an artefact's, of any type
	}
	var chain, diffIDs []digest.Digest
	if config, err := image.ParseConfig(raw); err == nil {
		diffIDs = config.RootFS.DiffIDs
		chain = image.ChainIDs(diffIDs)
	}
	for i, l := range img.Manifest.Layers {
		details := layerDetails{Digest: l.Digest, MediaType: l.MediaType, Size: l.Size}
		if i < len(chain) {
			details.DiffID, details.ChainID = diffIDs[i], chain[i]
			details.Path, _ = s.Layer(chain[i])
		}
		d.Layers = append(d.Layers, details)
	}
	return d, nil
}

// printRaw prints a document byte by byte.
func printRaw(c *cli.Context, s *store.Store, what string) error {
	args, err := command.Arguments(c, "IMAGE")
	if err != nil {
		return err
	}
	ref, img, err := pick(s, args[0], c.String("platform"))
	if err != nil {
		return err
	}
	var d image.Descriptor
	switch what {
	case "index":
		d = ref.Descriptor
	case "manifest":
		d = img.Descriptor
	case "config":
		d = img.Manifest.Config
	default:
		return command.Usage(c, errRaw(what))
	}
	raw, err := s.ReadBlob(d, image.MaxManifest)
	if err != nil {
		return err
	}
	return command.PrintBytes(out(c), raw)
}

type errRaw string

func (e errRaw) Error() string { return "--raw " + string(e) + ": not index, manifest or config" }
