package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"berth/image"
	"berth/image/archive"
	"berth/image/pull"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) load() *cli.Command {
	return &cli.Command{
		Name:      "load",
		Usage:     "read images from an archive or a directory into the store",
		ArgsUsage: "[FILE|DIR]",
		Description: "Reads what 'berth save', docker, podman, skopeo and buildkit write: an OCI layout as\n" +
			"a directory or an archive, or an archive of docker; compressed or not. Without\n" +
			"FILE it reads stdin. All digests are verified.\n\n" +
			"   berth load busybox.tar\n" +
			"   docker save app | berth load\n" +
			"   berth load --name app:1 layout",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "input", Aliases: []string{"i"}, Usage: "read `FILE`, as docker's flag"},
			&cli.StringFlag{Name: "name", Usage: "call the image `NAME`, when the archive has only one"},
			&cli.BoolFlag{Name: "no-unpack", DisableDefaultText: true, Usage: "unpack the layers when the image is run, not now"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print the names only"},
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "[FILE|DIR]")
			if err != nil {
				return err
			}
			path := c.String("input")
			if len(args) == 1 {
				path = args[0]
			}
			if err := b.enter(false); err != nil {
				return err
			}
			s, err := b.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			f := os.Stdin
			if path != "" && path != "-" {
				if f, err = os.Open(path); err != nil {
					return err
				}
			}
			a, err := archive.OpenFile(b.ctx, f, archive.Options{Temp: s.TempDir()})
			if err != nil {
				return err
			}
			defer a.Close()
			return b.loadAll(c, s, a, path)
		},
	}
}

// loadAll loads every image of an archive under its name.
func (b *berth) loadAll(c *cli.Context, s *store.Store, a *archive.Archive, path string) error {
	entries := a.Entries()
	given := c.String("name")
	if given != "" {
		if _, err := a.Find(image.Reference{}); err != nil {
			return err
		}
	}
	show := quietProgress(c.Bool("quiet"))
	defer show.Close()
	for _, e := range entries {
		name, err := nameFor(e, given, path)
		if err != nil {
			return err
		}
		o := pull.Options{Store: s, Source: a, Name: name, Apply: apply(), Unpack: !c.Bool("no-unpack"), Progress: show, Op: "load"}
		if o.Ref, err = name.WithDigest(e.Descriptor.Digest); err != nil {
			return err
		}
		if o.Platforms, o.All, err = platformsIn(b.ctx, a, e); err != nil {
			return err
		}
		if _, err := pull.Pull(b.ctx, o); err != nil {
			return err
		}
		text := "loaded " + name.Familiar() + "\n"
		if c.Bool("quiet") {
			text = name.Familiar() + "\n"
		}
		if err := command.PrintBytes(out(c), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// nameFor is what a loaded image is called: what the user says, else the archive;
// else it is found by its digest below the name of the file.
func nameFor(e archive.Entry, given, path string) (image.Reference, error) {
	if given != "" {
		return newName(given)
	}
	if !e.Name.IsZero() {
		return e.Name, nil
	}
	return unnamed(path, e.Descriptor.Digest)
}

// unnamed is the name of an image that nobody gave one: it is found by its digest.
func unnamed(path string, d digest.Digest) (image.Reference, error) {
	base := "loaded"
	if path != "" && path != "-" {
		base, _, _ = strings.Cut(filepath.Base(path), ".")
	}
	for _, word := range []string{strings.ToLower(base), "loaded"} {
		if name, err := image.ParseReference("localhost/" + word); err == nil {
			return name.WithDigest(d)
		}
	}
	return image.ParseReference("localhost/loaded@" + d.String())
}

// platformsIn are the platforms of an index that the archive has images of; all tells
// that none is missing.
func platformsIn(ctx context.Context, a *archive.Archive, e archive.Entry) (some []image.Platform, all bool, err error) {
	raw, err := a.Manifest(ctx, e.Name, e.Descriptor)
	if err != nil {
		return nil, false, err
	}
	m, err := image.ParseManifest(e.Descriptor.MediaType, raw)
	if err != nil || m.Index == nil {
		return nil, false, err
	}
	all = true
	for _, d := range m.Index.Manifests {
		switch {
		case !a.Has(d):
			all = false
		case d.Platform != nil && image.IsManifest(d.MediaType):
			some = append(some, *d.Platform)
		}
	}
	if all {
		return nil, true, nil
	}
	return some, false, nil
}
