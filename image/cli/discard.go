package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// discard removes what a user's container has written with ids that only root of a
// user namespace may remove.
func (b *berth) discard() *cli.Command {
	return &cli.Command{
		Name:      "discard",
		Usage:     "remove a directory as root of a user namespace",
		ArgsUsage: "DIR",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "DIR")
			if err != nil {
				return err
			}
			if !filepath.IsAbs(args[0]) {
				return fmt.Errorf("discard %s: not an absolute path", args[0])
			}
			if err := b.enter(false); err != nil {
				return err
			}
			return os.RemoveAll(args[0])
		},
	}
}
