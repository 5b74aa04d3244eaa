package cli

import (
	"bytes"
	"fmt"

	"berth/internal/command"
	"berth/libcontainer"
	"berth/specconv"

	"github.com/urfave/cli/v2"
)

func (b *berth) validate() *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "say what is wrong with a bundle, without making anything",
		Description: "Lists everything at once: what the runtime specification forbids (invalid), what is\n" +
			"not there (missing), what this host cannot do (unsupported), and what would be\n" +
			"left out (ignored). Each line names the field of config.json. The exit status is 1\n" +
			"when a container would be refused.\n\n" +
			"   berth validate --bundle /bundles/web\n" +
			"   berth validate --config config.json --format json",
		Flags: []cli.Flag{
			bundleFlag(),
			&cli.StringFlag{Name: "config", Usage: "read `FILE` in the place of the bundle's config.json"},
			command.FormatFlag(), // its -f is create's --config
			&cli.BoolFlag{Name: "strict", DisableDefaultText: true, Usage: "exit with 1 if something would be ignored, too"},
		},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			list, err := b.rt.Validate(libcontainer.ValidateOptions{Bundle: c.String("bundle"), ConfigFile: c.String("config")})
			if err != nil {
				return err
			}
			if err := printFindings(c, format, list); err != nil {
				return err
			}
			for i := range list {
				if list[i].Fault() || c.Bool("strict") {
					return command.Status(command.ExitFailure)
				}
			}
			return nil
		},
	}
}

// findings is the form of --format json.
type findings struct {
	Valid    bool               `json:"valid"`
	Findings []specconv.Finding `json:"findings"`
}

func printFindings(c *cli.Context, format string, list []specconv.Finding) error {
	if format == "json" {
		out := findings{Valid: true, Findings: list}
		for i := range list {
			out.Valid = out.Valid && !list[i].Fault()
		}
		if list == nil {
			out.Findings = []specconv.Finding{}
		}
		return command.PrintJSON(c.App.Writer, out, "  ")
	}
	var b bytes.Buffer
	for _, kind := range []specconv.Kind{specconv.Invalid, specconv.Missing, specconv.Unsupported, specconv.Ignored} {
		for _, f := range list {
			if f.Kind == kind {
				fmt.Fprintf(&b, "%s: %s\n", f.Kind, f.Message)
			}
		}
	}
	if b.Len() == 0 {
		b.WriteString("valid\n")
	}
	return command.PrintBytes(c.App.Writer, b.Bytes())
}
