package cli

import (
	"berth/image"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) referrers() *cli.Command {
	return &cli.Command{
		Name:      "referrers",
		Usage:     "list what refers to an image in its registry",
		ArgsUsage: "IMAGE",
		Description: "Signatures, attestations and the like: manifests with the image as their subject.\n\n" +
			"   berth referrers registry.example/team/app:1\n" +
			"   berth referrers --type application/spdx+json registry.example/team/app@sha256:...",
		Flags: append([]cli.Flag{
			command.FormatFlag(),
			&cli.StringFlag{Name: "type", Usage: "list those of one `TYPE` only"},
			&cli.StringFlag{Name: "platform", Usage: "of an image for several platforms, what refers to the one for `OS/ARCH`"},
			credsFlag(),
		}, registryFlags()...),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "IMAGE")
			if err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			list, err := b.findReferrers(c, args[0])
			if err != nil {
				return err
			}
			if format == "json" {
				return command.PrintJSON(out(c), list, "")
			}
			var rows [][]string
			for _, d := range list {
				kind := d.ArtifactType
				if kind == "" {
					kind = d.MediaType
				}
				rows = append(rows, []string{d.Digest.String(), kind, size(d.Size)})
			}
			return printTable(out(c), []string{"DIGEST", "TYPE", "SIZE"}, rows)
		},
	}
}

func (b *berth) findReferrers(c *cli.Context, word string) ([]image.Descriptor, error) {
	client, settings, err := b.registry(remoteOf(c))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ref, err := repository(settings, word)
	if err != nil {
		return nil, err
	}
	subject, raw, err := client.Resolve(b.ctx, ref)
	if err != nil {
		return nil, err
	}
	if p := c.String("platform"); p != "" {
		want, err := image.ParsePlatform(p)
		if err != nil {
			return nil, err
		}
		m, err := image.ParseManifest(subject.MediaType, raw)
		if err != nil {
			return nil, err
		}
		if m.Index != nil {
			if subject, err = image.SelectPlatform(m.Index.Manifests, want); err != nil {
				return nil, err
			}
		}
	}
	list, err := client.Referrers(b.ctx, ref, subject, c.String("type"))
	if list == nil {
		list = []image.Descriptor{}
	}
	return list, err
}
