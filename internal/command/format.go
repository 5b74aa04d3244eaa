package command

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

// FormatFlag is --format of the commands that print a table or JSON.
func FormatFlag() cli.Flag {
	return &cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "`FORMAT` of the output: table or json", DefaultText: "table"}
}

// FormatOf is the value of FormatFlag.
func FormatOf(c *cli.Context) (string, error) {
	f := c.String("format")
	if f != "table" && f != "json" {
		return "", Usage(c, fmt.Errorf("--format %q: not table or json", f))
	}
	return f, nil
}
