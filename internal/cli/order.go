package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsLast are the verbs whose flags may stand behind the container: scripts for
// runc and crun write `update web --memory 1g`.
var flagsLast = []string{"update", "events", "stats"}

// flagsFirst moves the flags of these verbs before their arguments, where cli
// expects them.
func flagsFirst(app *cli.App, args []string) []string {
	i := 1
	for i < len(args) && isFlag(args[i]) {
		i += width(app.Flags, args[i])
	}
	if i >= len(args) || !slices.Contains(flagsLast, args[i]) {
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
