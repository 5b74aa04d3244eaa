package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Name finds the word among args that is the command's name, behind the global
// flags; len(args) when there is none.
func Name(app *cli.App, args []string) int {
	i := 1
	for i < len(args) && isFlag(args[i]) {
		i += width(app.Flags, args[i])
	}
	return min(i, len(args))
}

// FlagsFirst moves the flags of the commands named last before their arguments,
// where cli expects them; args[0] is the program.
func FlagsFirst(app *cli.App, args, last []string) []string {
	i := Name(app, args)
	if i == len(args) || !slices.Contains(last, args[i]) {
		return args
	}
	cmd := app.Command(args[i])
	if cmd == nil {
		return args
	}
	sorted, rest := slices.Clone(args[:i+1]), []string(nil)
	for i++; i < len(args); {
		if args[i] == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if !isFlag(args[i]) {
			rest = append(rest, args[i])
			i++
			continue
		}
		end := min(i+width(cmd.Flags, args[i]), len(args))
		sorted = append(sorted, args[i:end]...)
		i = end
	}
	return append(sorted, rest...)
}

// isFlag tells a flag from an argument; a single dash is stdin.
func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' && arg != "--" }

// width is the number of arguments a flag takes up: two with a value behind it.
func width(flags []cli.Flag, arg string) int {
	name, _, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if given {
		return 1
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			if v, ok := f.(interface{ TakesValue() bool }); ok && v.TakesValue() {
				return 2
			}
		}
	}
	return 1
}
