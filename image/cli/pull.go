package cli

import (
	"errors"
	"os"

	"berth/image"
	"berth/image/progress"
	"berth/image/pull"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) pull() *cli.Command {
	return &cli.Command{
		Name:      "pull",
		Usage:     "fetch images from a registry",
		ArgsUsage: "IMAGE...",
		Description: "An IMAGE is REGISTRY/REPOSITORY:TAG or ...@DIGEST as for docker, or one on this\n" +
			"machine: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG]. What the\n" +
			"store has is not fetched again; what broke off goes on where it broke.\n\n" +
			"   berth pull busybox debian:12\n" +
			"   berth pull --platform linux/arm64 registry.example/team/app@sha256:...\n" +
			"   berth pull --format json --all-platforms alpine",
		Flags: append(append([]cli.Flag{
			&cli.StringSliceFlag{Name: "platform", Usage: "fetch for `OS/ARCH[/VARIANT]` in place of this machine's (repeatable)"},
			&cli.BoolFlag{Name: "all-platforms", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "fetch for all platforms"},
			&cli.BoolFlag{Name: "no-unpack", DisableDefaultText: true, Usage: "leave unpacking to the first container"},
			&cli.IntFlag{Name: "parallel", Usage: "fetch `N` blobs side by side", DefaultText: "4"},
			credsFlag(),
		}, progressFlags()...), registryFlags()...),
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				_, err := command.Arguments(c, "IMAGE")
				return err
			}
			show, err := shownOf(c)
			if err != nil {
				return command.Usage(c, err)
			}
			o, err := pullOptions(c)
			if err != nil {
				return command.Usage(c, err)
			}
			// Layers are unpacked with the owners that they name.
			if err := b.enter(false); err != nil {
				return err
			}
			return b.pullAll(c, o, show)
		},
	}
}

func pullOptions(c *cli.Context) (pull.Options, error) {
	o := pull.Options{Apply: apply(), All: c.Bool("all-platforms"), Unpack: !c.Bool("no-unpack"), Fetches: c.Int("parallel")}
	if o.Fetches < 0 || o.Fetches > 64 {
		return o, errors.New("--parallel: it is between 1 and 64")
	}
	for _, word := range c.StringSlice("platform") {
		p, err := image.ParsePlatform(word)
		if err != nil {
			return o, err
		}
		o.Platforms = append(o.Platforms, p)
	}
	if o.All && len(o.Platforms) > 0 {
		return o, errors.New("--all-platforms and --platform exclude each other")
	}
	return o, nil
}

func (b *berth) pullAll(c *cli.Context, o pull.Options, show shown) error {
	s, err := b.openStore()
	if err != nil {
		return err
	}
	defer s.Close() // closes directories
	o.Store = s
	return several(c.Args().Slice(), func(word string) error {
		return b.pullOne(c, o, show, word)
	})
}

func (b *berth) pullOne(c *cli.Context, o pull.Options, show shown, word string) error {
	o.Progress = progress.New(os.Stderr, show.mode)
	defer o.Progress.Close()
	r := remoteOf(c)
	if show.mode != progress.Quiet {
		r.notice = o.Progress.Print
	}
	from, err := b.origin(word, r)
	if err != nil {
		return err
	}
	defer from.Close()
	o.Source, o.Ref, o.Name = from, from.Ref, from.Name
	result, err := pull.Pull(b.ctx, o)
	o.Progress.Close()
	if err != nil {
		return err
	}
	if !show.quiet && !show.json {
		leftOut(result.Skipped)
	}
	return printPulled(c, show, from.Name, result)
}

// pulledImage is --format json of pull.
type pulledImage struct {
	Name string `json:"name"`
	// Digest is what the name stands for, an index or the manifest of the image.
	Digest   digest.Digest `json:"digest"`
	Manifest digest.Digest `json:"manifest"`
	ID       digest.Digest `json:"id,omitempty"`
	Platform string        `json:"platform,omitempty"`
	// Unchanged: the store had all of it.
	Unchanged bool `json:"unchanged"`
	// Fetched is how many bytes came.
	Fetched int64 `json:"fetched"`
}

func printPulled(c *cli.Context, show shown, name image.Reference, r pull.Result) error {
	switch {
	case show.json:
		p := pulledImage{Name: name.String(), Digest: r.Descriptor.Digest, Manifest: r.Image.Digest, Unchanged: r.Unchanged, Fetched: r.Fetched}
		if r.Manifest != nil {
			p.ID = r.Manifest.Config.Digest
		}
		if r.Config != nil {
			p.Platform = image.FormatPlatform(r.Config.Platform)
		}
		return command.PrintJSON(out(c), p, "")
	case show.quiet:
		return command.PrintBytes(out(c), []byte(r.Descriptor.Digest.String()+"\n"))
	}
	state := "pulled " + progress.Bytes(r.Fetched)
	if r.Unchanged {
		state = "up to date"
	}
	return command.PrintBytes(out(c), []byte(name.String()+": "+state+", "+r.Descriptor.Digest.String()+"\n"))
}
