package cli

import "github.com/urfave/cli/v2"

func (b *berth) start() *cli.Command {
	return &cli.Command{
		Name:        "start",
		Usage:       "let a created container run its program",
		ArgsUsage:   argContainer,
		Description: "   berth start web",
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			return b.rt.Start(id)
		},
	}
}
