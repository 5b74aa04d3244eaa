package cli

import (
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// commands are the verbs; each is in the file of its name. A new one needs its line
// in internal/imageside/verbs.go, too.
func (b *berth) commands() []*cli.Command {
	return []*cli.Command{
		b.pull(), b.push(), b.login(), b.logout(), b.tags(), b.search(), b.referrers(),
		b.images(), b.tag(), b.rmi(), b.inspect(), b.history(),
		b.save(), b.load(), b.importTree(), b.export(), b.prune(), b.verify(),
		b.unpack(),
		b.build(),
		b.prepare(), b.discard(), b.tree(),
	}
}

// tree prints what berth's manual pages and completions are made from.
func (b *berth) tree() *cli.Command {
	return &cli.Command{
		Name:   "image-commands",
		Usage:  "print the commands of the image side as JSON",
		Hidden: true, // for berth man and berth completion
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			return command.PrintJSON(out(c), command.Tree(c.App), "")
		},
	}
}
