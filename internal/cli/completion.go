package cli

import (
	"fmt"
	"strings"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) completion() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that lets a shell complete berth's commands",
		ArgsUsage: "bash|zsh|fish",
		Description: "It completes commands, flags, their values, and containers.\n\n" +
			"   source <(berth completion bash)\n" +
			"   berth completion zsh > \"${fpath[1]}/_berth\"\n" +
			"   berth completion fish > ~/.config/fish/completions/berth.fish",
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "bash|zsh|fish")
			if err != nil {
				return err
			}
			root, err := wholeTree(c.App)
			if err != nil {
				return err
			}
			var script string
			switch args[0] {
			case "bash":
				script = bashCompletion(&root)
			case "zsh":
				script = zshCompletion(&root)
			case "fish":
				script = fishCompletion(&root)
			default:
				return command.Usage(c, fmt.Errorf("%q is not bash, zsh or fish", args[0]))
			}
			return command.PrintBytes(c.App.Writer, []byte(script))
		},
	}
}

// takesContainer tells whether the first argument of a command is a container.
func takesContainer(n *command.Node) bool { return strings.HasPrefix(n.Args, argContainer) }

// quote is a word for any of the shells.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
