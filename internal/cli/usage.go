package cli

import (
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// usageError takes the place of cli's page of usage before an error.
func usageError(c *cli.Context, err error, _ bool) error {
	e := command.UsageError(c, globalFlags(), err)
	if name, ok := command.UnknownFlag(err); ok {
		if cure := elsewhere(c.Command.Name, name); cure != "" {
			e.Cure = cure
		}
	}
	return e
}

// containerID checks for exactly one argument, the container's id.
func containerID(c *cli.Context) (string, error) {
	args, err := command.Arguments(c, argContainer)
	if err != nil {
		return "", err
	}
	return args[0], nil
}

const argContainer = "CONTAINER"
