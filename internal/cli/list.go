package cli

import (
	"bytes"
	"fmt"
	"io"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func (b *berth) list() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the containers below the root directory",
		Description: "   berth list\n" +
			"   berth list --format json",
		Flags: []cli.Flag{
			command.FormatFlag(),
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "print ids only"},
		},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			// A list lives for milliseconds: collecting what thousands of state files
			// leave behind would take a fifth of them.
			debug.SetGCPercent(1000)
			infos, err := b.rt.List()
			if err != nil {
				return err
			}
			switch {
			case c.Bool("quiet"):
				return printIDs(c.App.Writer, infos)
			case format == "json" && len(infos) == 0:
				// What runc prints, for callers that compare.
				return command.PrintBytes(c.App.Writer, []byte("null\n"))
			case format == "json":
				return command.PrintJSON(c.App.Writer, infos, "")
			}
			return printTable(c.App.Writer, infos)
		},
	}
}

func printIDs(w io.Writer, infos []libcontainer.Info) error {
	var b bytes.Buffer
	for _, i := range infos {
		b.WriteString(i.ID + "\n")
	}
	return command.PrintBytes(w, b.Bytes())
}

// printTable has runc's columns.
func printTable(w io.Writer, infos []libcontainer.Info) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 12, 1, 3, ' ', 0)
	fmt.Fprint(t, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, i := range infos {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", i.ID, i.PID, i.Status, i.Bundle, i.Created.Format(time.RFC3339Nano), i.Owner)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return command.PrintBytes(w, b.Bytes())
}
