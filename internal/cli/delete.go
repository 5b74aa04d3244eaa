package cli

import (
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) delete() *cli.Command {
	return &cli.Command{
		Name:      "delete",
		Usage:     "remove a container that has stopped or was never started",
		ArgsUsage: argContainer + " | --all",
		Description: "Removes its cgroup and state and runs its poststop hooks; the bundle stays.\n\n" +
			"   berth delete web\n" +
			"   berth delete --force web         # kill it first; it need not exist\n" +
			"   berth delete --force --all       # every container below the root directory",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, DisableDefaultText: true, Usage: "kill the container if it runs, clear what is left of it, and succeed if there is nothing"},
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, DisableDefaultText: true, Usage: "delete every container below the root directory"},
			regexFlag("delete"),
		},
		Action: func(c *cli.Context) error {
			remove := func(id string) error { return b.rt.Delete(id, c.Bool("force")) }
			if c.Bool("all") {
				if _, err := command.Arguments(c); err != nil {
					return err
				}
				return b.eachOf(func(string) bool { return true }, remove)
			}
			id, err := containerID(c)
			if err != nil {
				return err
			}
			return b.each(c, id, remove)
		},
	}
}
