package cli

import (
	"errors"
	"strings"

	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func (b *berth) run() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "create and start a container, wait for its end and delete it",
		ArgsUsage: argContainer + " [COMMAND...]",
		Description: "Exits with the status of the container's process, 128+N if signal N killed it.\n" +
			"With --detach it returns at once and the container stays.\n\n" +
			"   berth run --bundle /bundles/web web\n" +
			"   berth run --ephemeral try        # the bundle stays as it is\n" +
			"   berth run --image busybox try sh\n" +
			"   berth run --image nginx --detach --net host --memory 64m web\n\n" +
			"With --image there is no bundle: the image is pulled if it is not in the store, its\n" +
			"layers become the container's root file system, and what the container writes is\n" +
			"removed with it. Its command follows the container, behind flags of berth.\n\n" +
			"Signals and Ctrl-C reach the process, which as the first of its pid namespace gets\n" +
			"only those that it handles: 'berth kill CONTAINER KILL' ends any.",
		Flags: append(createFlags(),
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, DisableDefaultText: true, Usage: "return when the container runs"},
			&cli.GenericFlag{Name: "ephemeral", Value: &optionalValue{}, Usage: "throw away what the container writes to its root file system; it goes to memory, or with `[=DIR]` below that"},
			&cli.BoolFlag{Name: "keep", DisableDefaultText: true, Usage: "do not delete the container at its end"},
			&cli.BoolFlag{Name: "rm", Hidden: true}, // Docker's: run deletes anyway
		),
		Action: func(c *cli.Context) error {
			if c.Bool("rm") && (c.Bool("detach") || c.Bool("keep")) {
				return removeLater(c)
			}
			oneAtATime()
			create, err := b.createOptions(c)
			if err != nil {
				return err
			}
			layer, _ := c.Generic("ephemeral").(*optionalValue) // its flag has no other
			code, err := b.rt.Run(libcontainer.RunOptions{
				CreateOptions: create,
				Detach:        c.Bool("detach"),
				Keep:          c.Bool("keep"),
				NoSubreaper:   c.Bool("no-subreaper"),
				Ephemeral:     layer.given,
				EphemeralDir:  layer.value,
			})
			b.abandon(&create, err)
			return ended(code, flagTooLate(c, err))
		},
	}
}

// flagTooLate adds a hint when a flag of berth's was perhaps taken for the command.
func flagTooLate(c *cli.Context, err error) error {
	if err == nil || !strings.HasPrefix(c.Args().Get(1), "-") || c.Args().Get(1) == "--" || libcontainer.ExitStatus(err) == 0 {
		return err
	}
	return &command.Error{Code: command.ExitFailure, Err: err, Cure: "what follows the container is its command: flags of berth come before the container"}
}

// removeLater refuses --rm where nobody is there to remove the container at its end.
func removeLater(c *cli.Context) error {
	other := "keep"
	if c.Bool("detach") {
		other = "detach"
	}
	e := command.Usage(c, errors.New("--rm and --"+other+" exclude each other"))
	e.Cure = "run deletes the container at its end unless told to keep it; 'berth delete' removes one that was detached"
	return e
}
