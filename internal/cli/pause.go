package cli

import "github.com/urfave/cli/v2"

func (b *berth) pause() *cli.Command {
	return &cli.Command{
		Name:        "pause",
		Usage:       "freeze every process of a container",
		ArgsUsage:   argContainer,
		Description: "   berth pause web",
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			return b.rt.Pause(id)
		},
	}
}
