package cli

import (
	"errors"
	"strconv"
	"strings"

	"berth/image/registry"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) search() *cli.Command {
	return &cli.Command{
		Name:      "search",
		Usage:     "find repositories in a registry",
		ArgsUsage: "[REGISTRY/]TERM",
		Description: "Docker Hub has a search of its own; elsewhere the registry's catalog is looked through,\n" +
			"which not every registry has or shows to everybody.\n\n" +
			"   berth search busybox\n" +
			"   berth search --limit 100 registry.example:5000/team\n" +
			"   berth search registry.example/",
		Flags: append([]cli.Flag{
			command.FormatFlag(),
			&cli.IntFlag{Name: "limit", Value: 25, Usage: "show `N` at most"},
			credsFlag(),
		}, registryFlags()...),
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "[REGISTRY/]TERM")
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return command.Usage(c, errors.New("TERM is missing"))
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			limit := c.Int("limit")
			if limit < 1 || limit > 10_000 {
				return command.Usage(c, errors.New("--limit: it is between 1 and 10000"))
			}
			client, _, err := b.registry(remoteOf(c))
			if err != nil {
				return err
			}
			defer client.Close()
			host, term := searchPlace(args[0])
			found, err := client.Search(b.ctx, host, term, limit)
			if err != nil {
				return err
			}
			if format == "json" {
				if found == nil {
					found = []registry.Found{}
				}
				return command.PrintJSON(out(c), found, "")
			}
			return printFound(c, found)
		},
	}
}

// searchPlace splits a word as the names of images are: what stands before the
// first slash is a registry if it has a dot or a port, or is localhost. With a port
// it is one without a slash, too: nobody is called that.
func searchPlace(word string) (host, term string) {
	first, rest, ok := strings.Cut(word, "/")
	if strings.Contains(first, ":") || ok && (strings.Contains(first, ".") || first == "localhost") {
		return first, rest
	}
	return registry.Host(""), word
}

func printFound(c *cli.Context, found []registry.Found) error {
	var rows [][]string
	for _, f := range found {
		stars, official := "", ""
		if f.Stars > 0 {
			stars = strconv.Itoa(f.Stars)
		}
		if f.Official {
			official = "yes"
		}
		rows = append(rows, []string{f.Name, brief(f.Description), stars, official})
	}
	return printTable(out(c), []string{"NAME", "DESCRIPTION", "STARS", "OFFICIAL"}, rows)
}

// brief cuts a description for a table.
func brief(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
