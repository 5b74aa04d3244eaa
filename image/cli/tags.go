package cli

import (
	"errors"
	"strings"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) tags() *cli.Command {
	return &cli.Command{
		Name:      "tags",
		Usage:     "list the tags of a repository",
		ArgsUsage: "REPOSITORY",
		Description: "In the order in which the registry lists them, which most do by name.\n\n" +
			"   berth tags debian\n" +
			"   berth tags --limit 10 --format json registry.example/team/app",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "text", DefaultText: "text", Usage: "`FORMAT` of the output: text or json"},
			&cli.IntFlag{Name: "limit", Usage: "list the first `N` only", DefaultText: "all"},
			credsFlag(),
		}, registryFlags()...),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "REPOSITORY")
			if err != nil {
				return err
			}
			format := c.String("format")
			if format != "text" && format != "json" {
				return command.Usage(c, errors.New("--format: it is text or json"))
			}
			client, settings, err := b.registry(remoteOf(c))
			if err != nil {
				return err
			}
			defer client.Close()
			ref, err := repository(settings, args[0])
			if err != nil {
				return err
			}
			limit := c.Int("limit")
			names := []string{}
			err = client.Tags(b.ctx, ref, func(page []string) error {
				names = append(names, page...)
				if limit > 0 && len(names) >= limit {
					names = names[:limit]
					return errEnough
				}
				return nil
			})
			if err != nil && !errors.Is(err, errEnough) {
				return err
			}
			if format == "json" {
				return command.PrintJSON(out(c), struct {
					Name string   `json:"name"`
					Tags []string `json:"tags"`
				}{ref.Name(), names}, "")
			}
			if len(names) == 0 {
				return nil
			}
			return command.PrintBytes(out(c), []byte(strings.Join(names, "\n")+"\n"))
		},
	}
}

// errEnough ends a list early.
var errEnough = errors.New("enough")
