package cli

import (
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) state() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Usage:     "print what a container is and does, as JSON",
		ArgsUsage: argContainer,
		Description: "The status is creating, created, running, paused or stopped; pid is 0 when stopped.\n\n" +
			"   berth state web",
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			info, err := b.rt.State(id)
			if err != nil {
				return err
			}
			return command.PrintJSON(c.App.Writer, info, "  ")
		},
	}
}
