package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// OneSpelling gives every flag before the workload's own arguments its first name:
// urfave/cli refuses a repeatable flag that comes in two forms (--env A=1 -e B=2).
func OneSpelling(app *cli.App, args []string) []string {
	out := slices.Clone(args)
	i := spell(app.Flags, out, 1)
	if i < len(out) {
		if cmd := app.Command(out[i]); cmd != nil {
			spell(cmd.Flags, out, i+1)
		}
	}
	return out
}

// spell rewrites the flags from args[i] on and returns where they end.
func spell(flags []cli.Flag, args []string, i int) int {
	for i < len(args) && isFlag(args[i]) {
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
	return i
}
