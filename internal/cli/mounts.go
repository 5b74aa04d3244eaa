package cli

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"berth/internal/command"
	"berth/libcontainer"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v2"
)

const argMounts = "FILE"

func (b *berth) mounts() *cli.Command {
	return &cli.Command{
		Name:      "mounts",
		Usage:     "show and change the mounts of a container that runs",
		ArgsUsage: "add|remove|list",
		Description: "The file, or - for stdin, holds a JSON list like mounts in config.json.\n\n" +
			"   berth mounts list web\n" +
			"   echo '[{\"destination\": \"/data\", \"source\": \"/srv/data\", \"options\": [\"rbind\", \"ro\"]}]' |\n" +
			"       berth mounts add web -\n" +
			"   echo '[{\"destination\": \"/data\"}]' | berth mounts remove web -",
		Subcommands: []*cli.Command{b.mountsAdd(), b.mountsRemove(), b.mountsList()},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			e := command.Usage(c, fmt.Errorf("unknown command %q", c.Args().First()))
			e.Cure = command.Suggest(c.Args().First(), []string{"add", "remove", "list"}, "mounts ", e.Cure)
			return e
		},
	}
}

func (b *berth) mountsAdd() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "make mounts in a container that runs, all or none",
		ArgsUsage: argContainer + " " + argMounts,
		Description: "Each has the fields of mounts in config.json: binds with all their options, also\n" +
			"idmapped ones, and new file systems. Sources are paths of the host.\n\n" +
			"   berth mounts add web mounts.json",
		OnUsageError: usageError,
		Action:       func(c *cli.Context) error { return changeMounts(c, b.rt.AddMounts) },
	}
}

func (b *berth) mountsRemove() *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "unmount in a container that runs",
		ArgsUsage: argContainer + " " + argMounts,
		Description: "Of each mount in the list only the destination counts. Processes that use it keep\n" +
			"what they have open.\n\n" +
			"   berth mounts remove web mounts.json",
		OnUsageError: usageError,
		Action:       func(c *cli.Context) error { return changeMounts(c, b.rt.RemoveMounts) },
	}
}

func changeMounts(c *cli.Context, change func(id string, list []specs.Mount) error) error {
	args, err := command.Arguments(c, argContainer, argMounts)
	if err != nil {
		return err
	}
	list, err := specconv.LoadMounts(args[1])
	if err != nil {
		return err
	}
	return change(args[0], list)
}

func (b *berth) mountsList() *cli.Command {
	return &cli.Command{
		Name:         "list",
		Usage:        "list the mounts of a container that runs",
		ArgsUsage:    argContainer,
		Description:  "   berth mounts list --format json web",
		Flags:        []cli.Flag{command.FormatFlag()},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			list, err := b.rt.Mounts(id)
			if err != nil {
				return err
			}
			if format == "json" {
				return command.PrintJSON(c.App.Writer, list, "")
			}
			return command.PrintBytes(c.App.Writer, mountTable(list))
		},
	}
}

func mountTable(list []libcontainer.MountInfo) []byte {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 12, 1, 3, ' ', 0)
	fmt.Fprint(t, "DESTINATION\tTYPE\tSOURCE\tOPTIONS\n")
	for _, m := range list {
		source := m.Source
		if m.Root != "/" {
			source += "[" + m.Root + "]"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", printable(m.Destination), m.Type, printable(source), m.Options)
	}
	// A bytes.Buffer takes everything.
	_ = t.Flush()
	return b.Bytes()
}

// printable keeps names that a container has chosen on their line.
func printable(s string) string {
	q := fmt.Sprintf("%q", s)
	if q == `"`+s+`"` {
		return s
	}
	return q
}
