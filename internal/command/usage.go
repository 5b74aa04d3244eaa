package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// UsageError takes the place of cli's page of usage before an error.
func UsageError(c *cli.Context, globals []cli.Flag, err error) *Error {
	name, unknown := UnknownFlag(err)
	if !unknown {
		return Usage(c, flagError(err))
	}
	e := Usage(c, errors.New("unknown flag "+dashed(name)))
	if isVerb(c) && len(name) > 1 && slices.Contains(flagNames(globals), name) {
		e.Cure = "it is a global flag, which comes before the command: berth --" + name + " " + c.Command.Name
		return e
	}
	e.Cure = Suggest(name, flagNames(c.Command.Flags), "--", e.Cure)
	return e
}

// UnknownFlag is the name of the flag, without dashes, when that is what err is about.
func UnknownFlag(err error) (name string, ok bool) {
	name, ok = strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return "", false
	}
	return strings.TrimLeft(name, "-"), true
}

// flagError says in berth's words what package flag says with one dash.
func flagError(err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return errors.New(dashed(strings.TrimLeft(name, "-")) + " needs a value")
	}
	for _, kind := range []string{"invalid value ", "invalid boolean value "} {
		rest, ok := strings.CutPrefix(text, kind)
		if !ok {
			continue
		}
		// "VALUE" for [flag] -NAME: REASON
		value, e := strconv.QuotedPrefix(rest)
		_, tail, _ := strings.Cut(rest[len(value):], " -")
		name, reason, found := strings.Cut(tail, ": ")
		if e != nil || !found {
			return err
		}
		if reason == "parse error" {
			reason = "not a value of this flag"
		}
		return errors.New(dashed(name) + " " + value + ": " + reason)
	}
	return err
}

// dashed is a flag as it is written.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
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

// Verb is the command's name with those it is a part of: "mounts add".
func Verb(c *cli.Context) string {
	if _, name, ok := strings.Cut(c.Command.HelpName, " "); ok {
		return name
	}
	return c.Command.Name
}

// Usage is an error in how the command was called.
func Usage(c *cli.Context, err error) *Error {
	prefix, full := "", "berth"
	if isVerb(c) {
		prefix, full = Verb(c)+": ", "berth "+Verb(c)
	}
	return &Error{
		Code: ExitFailure,
		Err:  errors.New(prefix + err.Error()),
		Cure: "'" + full + " --help' tells how it is called",
	}
}

// Arguments checks the number of arguments against their names; those in brackets
// may be missing. A flag among them stands too late.
func Arguments(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) > len(names) {
		e := Usage(c, fmt.Errorf("unexpected argument %q", args[len(names)]))
		for _, a := range args[1:] {
			if len(a) > 1 && a[0] == '-' {
				e.Cure = "flags come before arguments: berth " + Verb(c) + " " + a + " " + args[0]
				break
			}
		}
		return nil, e
	}
	if len(args) < len(names) && names[len(args)][0] != '[' {
		return nil, Usage(c, fmt.Errorf("%s is missing", names[len(args)]))
	}
	return args, nil
}

// Unknown is the error about a first argument that is no command's name.
func Unknown(c *cli.Context) error {
	name := c.Args().First()
	names := make([]string, 0, len(c.App.Commands))
	for _, cmd := range c.App.Commands {
		names = append(names, cmd.Name)
	}
	return &Error{
		Code: ExitUnknownCommand,
		Err:  fmt.Errorf("unknown command %q", name),
		Cure: cmp.Or(elsewhere(name), Suggest(name, names, "", "'berth --help' lists the commands")),
	}
}
