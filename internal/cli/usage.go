package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// usageError takes the place of cli's page of usage before an error.
func usageError(c *cli.Context, err error, _ bool) error {
	msg := err.Error()
	name, _ := strings.CutPrefix(msg, "flag provided but not defined: -")
	if name == msg {
		return usage(c, err)
	}
	name = strings.TrimLeft(name, "-")
	e := usage(c, err)
	if isVerb(c) && slices.Contains(flagNames(globalFlags()), name) {
		e.hint = "it is a global flag, which comes before the command: berth --" + name + " " + c.Command.Name
		return e
	}
	e.hint = suggest(name, flagNames(c.Command.Flags), "--", e.hint)
	return e
}

func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	return names
}

// isVerb tells a command's flags from the global ones.
func isVerb(c *cli.Context) bool { return c.Command.Name != "berth" && c.Command.Name != "" }

// verb is the command's name with those it is a part of: "mounts add".
func verb(c *cli.Context) string {
	if _, name, ok := strings.Cut(c.Command.HelpName, " "); ok {
		return name
	}
	return c.Command.Name
}

// usage is an error in how the command was called.
func usage(c *cli.Context, err error) *exitError {
	prefix, full := "", "berth"
	if isVerb(c) {
		prefix, full = verb(c)+": ", "berth "+verb(c)
	}
	return &exitError{
		code: exitFailure,
		err:  errors.New(prefix + err.Error()),
		hint: "'" + full + " --help' tells how it is called",
	}
}

// arguments checks the number of arguments against their names; those in brackets
// may be missing. A flag among them stands too late.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) > len(names) {
		e := usage(c, fmt.Errorf("unexpected argument %q", args[len(names)]))
		for _, a := range args[1:] {
			if len(a) > 1 && a[0] == '-' {
				e.hint = "flags come before arguments: berth " + verb(c) + " " + a + " " + args[0]
				break
			}
		}
		return nil, e
	}
	if len(args) < len(names) && names[len(args)][0] != '[' {
		return nil, usage(c, fmt.Errorf("%s is missing", names[len(args)]))
	}
	return args, nil
}

// containerID checks for exactly one argument, the container's id.
func containerID(c *cli.Context) (string, error) {
	args, err := arguments(c, argContainer)
	if err != nil {
		return "", err
	}
	return args[0], nil
}

const argContainer = "CONTAINER"
