package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"berth/image"
	"berth/image/progress"
	"berth/image/registry"
	"berth/image/store"
	"berth/internal/command"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"
)

func (b *berth) push() *cli.Command {
	return &cli.Command{
		Name:      "push",
		Usage:     "send an image to a registry",
		ArgsUsage: "IMAGE [NAME]",
		Description: "Without NAME the image goes where its own name says. Of an image for several\n" +
			"platforms all go if the store has all, else the one for this machine. Blobs that the\n" +
			"registry has, in this repository or another one known here, are not sent.\n\n" +
			"   berth push registry.example/team/app:1\n" +
			"   berth push app:latest registry.example/team/app:1\n" +
			"   berth push --platform linux/arm64 app registry.example/team/app:1-arm64",
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "platform", Usage: "send the image for `OS/ARCH[/VARIANT]` alone"},
			&cli.BoolFlag{Name: "all-platforms", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "send the images of all platforms, or fail"},
			&cli.IntFlag{Name: "parallel", Usage: "send `N` blobs side by side", DefaultText: "4"},
			&cli.StringFlag{Name: "chunk-size", Usage: "send blobs in parts of `SIZE`, for registries and proxies that want no large requests"},
			credsFlag(),
		}, progressFlags()...), registryFlags()...),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "IMAGE", "[NAME]")
			if err != nil {
				return err
			}
			show, err := shownOf(c)
			if err != nil {
				return command.Usage(c, err)
			}
			if c.Bool("all-platforms") && c.String("platform") != "" {
				return command.Usage(c, errors.New("--all-platforms and --platform exclude each other"))
			}
			if n := c.Int("parallel"); n < 0 || n > 64 {
				return command.Usage(c, errors.New("--parallel: it is between 1 and 64"))
			}
			return b.runPush(c, args, show)
		},
	}
}

func (b *berth) runPush(c *cli.Context, args []string, show shown) error {
	s, done, err := b.useStore()
	if err != nil {
		return err
	}
	defer done()
	ref, err := s.Find(args[0])
	if err != nil {
		return err
	}
	to, err := pushTarget(ref, args)
	if err != nil {
		return err
	}
	d, err := pushed(s, ref.Descriptor, c.String("platform"), c.Bool("all-platforms"))
	if err != nil {
		return fmt.Errorf("push %s: %w", to, err)
	}
	display := progress.New(os.Stderr, show.mode)
	defer display.Close()
	r := remoteOf(c)
	if show.mode != progress.Quiet {
		r.notice = display.Print
	}
	o := registry.PushOptions{Content: s, Ref: to, Descriptor: d, Parallel: c.Int("parallel"), Progress: display, MountFrom: mountFrom(s, to)}
	if size := c.String("chunk-size"); size != "" {
		n, err := command.Size(size)
		if err != nil || *n <= 0 {
			return command.Usage(c, fmt.Errorf("--chunk-size %q: %w", size, command.ErrSize))
		}
		r.chunk = *n
	}
	client, _, err := b.registry(r)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Push(b.ctx, o); err != nil {
		return err
	}
	display.Close()
	return printPushed(c, show, to, d)
}

// pushTarget is the name to push to.
func pushTarget(ref store.Ref, args []string) (image.Reference, error) {
	if len(args) == 2 {
		return newName(args[1])
	}
	to, err := ref.Reference()
	if err != nil {
		return to, fmt.Errorf("push %s: it has no name; say where to: berth push %s NAME", args[0], args[0])
	}
	return to, nil
}

// pushed is what of an image goes: all of it, or the image of one platform.
func pushed(s *store.Store, d image.Descriptor, platform string, all bool) (image.Descriptor, error) {
	if platform != "" {
		want, err := image.ParsePlatform(platform)
		if err != nil {
			return d, err
		}
		img, err := s.Image(d, want)
		return img.Descriptor, err
	}
	missing, err := absent(s, d, map[digest.Digest]bool{})
	if err != nil || missing == "" {
		return d, err
	}
	if all {
		return d, fmt.Errorf("%s is not in the store: pull with --all-platforms", missing)
	}
	img, err := s.Image(d, image.HostPlatform())
	return img.Descriptor, err
}

// absent finds something of an image that the store lacks; empty if it has all. seen
// are manifests that were looked at: an index may list one as often as it likes.
func absent(s *store.Store, d image.Descriptor, seen map[digest.Digest]bool) (digest.Digest, error) {
	if seen[d.Digest] {
		return "", nil
	}
	seen[d.Digest] = true
	if !s.Has(d.Digest) {
		return d.Digest, nil
	}
	m, _, err := s.ReadManifest(d)
	if err != nil {
		return "", err
	}
	if m.Index != nil {
		for _, sub := range m.Index.Manifests {
			if missing, err := absent(s, sub, seen); missing != "" || err != nil {
				return missing, err
			}
		}
		return "", nil
	}
	for _, part := range append([]image.Descriptor{m.Image.Config}, m.Image.Layers...) {
		if !s.Has(part.Digest) && !image.IsForeign(part.MediaType) {
			return part.Digest, nil
		}
	}
	return "", nil
}

// mountFrom knows other repositories of the registry that have a blob: those whose
// images are in the store.
func mountFrom(s *store.Store, to image.Reference) func(digest.Digest) []string {
	known := map[digest.Digest][]string{}
	refs, err := s.Refs()
	if err != nil {
		return nil // it only saves time
	}
	for _, ref := range refs {
		name, err := ref.Reference()
		if err != nil || name.Registry() != to.Registry() || name.Repository() == to.Repository() {
			continue
		}
		for _, img := range s.Images(ref.Descriptor) {
			for _, l := range append(slices.Clone(img.Manifest.Layers), img.Manifest.Config) {
				if !slices.Contains(known[l.Digest], name.Repository()) {
					known[l.Digest] = append(known[l.Digest], name.Repository())
				}
			}
		}
	}
	return func(d digest.Digest) []string { return known[d] }
}

func printPushed(c *cli.Context, show shown, to image.Reference, d image.Descriptor) error {
	switch {
	case show.json:
		return command.PrintJSON(out(c), struct {
			Name      string        `json:"name"`
			Digest    digest.Digest `json:"digest"`
			MediaType string        `json:"mediaType"`
			Size      int64         `json:"size"`
		}{to.String(), d.Digest, d.MediaType, d.Size}, "")
	case show.quiet:
		return command.PrintBytes(out(c), []byte(d.Digest.String()+"\n"))
	}
	return command.PrintBytes(out(c), []byte(to.String()+": pushed, "+d.Digest.String()+"\n"))
}
