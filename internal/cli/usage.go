package cli

import (
	"errors"
	"fmt"
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
	var known []string
	for _, f := range c.Command.Flags {
		known = append(known, f.Names()...)
	}
	e := usage(c, err)
	e.hint = suggest(strings.TrimPrefix(name, "-"), known, "--", e.hint)
	return e
}

// usage is an error in how the command was called.
func usage(c *cli.Context, err error) *exitError {
	prefix, full := "", "berth"
	if name := c.Command.Name; name != "berth" && name != "" {
		prefix, full = name+": ", "berth "+name
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
				e.hint = "flags come before arguments: berth " + c.Command.Name + " " + a + " " + args[0]
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
