package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// OneSpelling gives every flag before the workload's own arguments its first name:
// urfave/cli refuses a repeatable flag that comes in two forms (--env A=1 -e B=2).
// Letters that stand together, as in -it, become flags of their own.
func OneSpelling(app *cli.App, args []string) []string {
	out, i := spell(app.Flags, slices.Clone(args), 1)
	if i < len(out) {
		if cmd := app.Command(out[i]); cmd != nil {
			out, _ = spell(cmd.Flags, out, i+1)
		}
	}
	return out
}

// spell rewrites the flags from args[i] on and returns where they end.
func spell(flags []cli.Flag, args []string, i int) ([]string, int) {
	for i < len(args) && isFlag(args[i]) {
		if apart := letters(flags, args[i]); apart != nil {
			args = slices.Replace(args, i, i+1, apart...)
		}
		at := i
		i += width(flags, args[at])
		name, value, given := strings.Cut(strings.TrimLeft(args[at], "-"), "=")
		for _, f := range flags {
			if names := f.Names(); slices.Contains(names, name) {
				args[at] = "--" + names[0]
				if given {
					args[at] += "=" + value
				}
			}
		}
	}
	return args, i
}

// letters takes -it apart; nil unless each letter is a flag, those before the last one
// without a value, and the whole is none: flags of several letters may have one dash.
func letters(flags []cli.Flag, arg string) []string {
	if len(arg) < 3 || arg[1] == '-' || known(flags, arg[1:]) {
		return nil
	}
	var apart []string
	for i := 1; i < len(arg); i++ {
		letter := "-" + arg[i:i+1]
		if !known(flags, letter[1:]) || i+1 < len(arg) && width(flags, letter) > 1 {
			return nil
		}
		apart = append(apart, letter)
	}
	return apart
}

func known(flags []cli.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}
