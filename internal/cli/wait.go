package cli

import (
	"fmt"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) wait() *cli.Command {
	return &cli.Command{
		Name:      "wait",
		Usage:     "wait for a container's end and exit with its status",
		ArgsUsage: argContainer,
		Description: "Exits with the status of the container's first process, 128+N if signal N killed\n" +
			"it, as run does; whoever started the container. Of one that has ended the status is\n" +
			"known if 'run --keep' or an earlier wait noted it, or its parent has not taken it yet.\n\n" +
			"   berth wait web; echo $?\n" +
			"   berth wait --print web           # to tell a status from an error of berth",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "print", Aliases: []string{"p"}, DisableDefaultText: true, Usage: "print the status and exit with 0"},
		},
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			code, err := b.rt.Wait(id)
			if err == nil && c.Bool("print") {
				return command.PrintBytes(c.App.Writer, fmt.Appendln(nil, code))
			}
			return ended(code, err)
		},
	}
}
