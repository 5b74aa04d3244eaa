package cli

import (
	"berth/image"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) tag() *cli.Command {
	return &cli.Command{
		Name:      "tag",
		Usage:     "give an image another name",
		ArgsUsage: "IMAGE NAME...",
		Description: "An image is meant by a name, a digest, or the beginning of its id. What had the\n" +
			"new name before loses it.\n\n" +
			"   berth tag busybox registry.example/tools/busybox:1\n" +
			"   berth tag 3f2a91c0d4e5 app:stable",
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) < 2 {
				_, err := command.Arguments(c, "IMAGE", "NAME")
				return err
			}
			var names []image.Reference
			for _, word := range args[1:] {
				name, err := newName(word)
				if err != nil {
					return err
				}
				names = append(names, name)
			}
			s, done, err := b.useStore()
			if err != nil {
				return err
			}
			defer done()
			ref, err := s.Find(args[0])
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := s.Tag(name, ref.Descriptor); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
