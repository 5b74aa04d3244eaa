package cli

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"berth/internal/command"
	"berth/libcontainer/host"
	"berth/seccomp"

	"github.com/urfave/cli/v2"
)

func (b *berth) info() *cli.Command {
	return &cli.Command{
		Name:  "info",
		Usage: "tell what this host can do for containers",
		Description: "Each line is a yes or no with its reason: kernel, namespaces, cgroups, security\n" +
			"modules, seccomp, mounts, criu, and what a user without privileges needs. It changes\n" +
			"nothing. Some answers depend on who asks: root, or a user.\n\n" +
			"   berth info\n" +
			"   berth info --format json",
		Flags: []cli.Flag{command.FormatFlag()},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			report := host.Look(seccomp.Version())
			if format == "json" {
				return command.PrintJSON(c.App.Writer, report, "  ")
			}
			return command.PrintBytes(c.App.Writer, infoTable(&report))
		},
	}
}

func infoTable(r *host.Report) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Linux %s on %s, cgroups %s, asked by uid %d\n", r.Kernel, r.Architecture, r.CgroupLayout, r.User)
	t := tabwriter.NewWriter(&b, 0, 1, 2, ' ', 0)
	group := ""
	for _, f := range r.Facts {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(t, "\n%s\n", group)
		}
		answer := "no"
		if f.OK {
			answer = "yes"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Name, answer, f.Reason)
	}
	// A bytes.Buffer takes everything.
	_ = t.Flush()
	return b.Bytes()
}
