package cli

import (
	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func (b *berth) kill() *cli.Command {
	return &cli.Command{
		Name:      "kill",
		Usage:     "send a signal to a container's first process",
		ArgsUsage: argContainer + " [SIGNAL]",
		Description: "The signal is a number or a name (default: TERM). KILL reaches every process.\n\n" +
			"   berth kill web\n" +
			"   berth kill web HUP\n" +
			"   berth kill --all web 9",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "signal every process, and accept that the container has stopped"},
			regexFlag("signal"),
		},
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, argContainer, "[SIGNAL]")
			if err != nil {
				return err
			}
			signal := "TERM"
			if len(args) == 2 {
				signal = args[1]
			}
			sig, err := libcontainer.ParseSignal(signal)
			if err != nil {
				return err
			}
			return b.each(c, args[0], func(id string) error {
				return b.rt.Kill(libcontainer.KillOptions{ID: id, Signal: sig, All: c.Bool("all")})
			})
		},
	}
}
