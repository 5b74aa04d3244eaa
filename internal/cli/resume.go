package cli

import "github.com/urfave/cli/v2"

func (b *berth) resume() *cli.Command {
	return &cli.Command{
		Name:        "resume",
		Usage:       "let the processes of a paused container go on",
		ArgsUsage:   argContainer,
		Description: "   berth resume web",
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			return b.rt.Resume(id)
		},
	}
}
