package command

import (
	"fmt"
	"strings"

	"berth/internal/log"

	"github.com/urfave/cli/v2"
)

// LogFlags are the global flags about the log, which NewLog reads.
func LogFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log", Aliases: []string{"l"}, Usage: "append errors and warnings to `FILE`, besides stderr; or journald:NAME, syslog:NAME, file:PATH"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT` of the log: text or json", DefaultText: "text"},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the log: error, warning or debug"},
		&cli.BoolFlag{Name: "debug", DisableDefaultText: true, Usage: "log what goes on"},
	}
}

// NewLog opens the log that the flags ask for.
func NewLog(c *cli.Context) (*log.Logger, error) {
	o := log.Options{Path: c.String("log"), Debug: c.Bool("debug")}
	switch f := c.String("log-format"); f {
	case "text", "":
	case "json":
		o.JSON = true
	default:
		return nil, fmt.Errorf("--log-format %q: not text or json", f)
	}
	switch level := c.String("log-level"); strings.ToLower(level) {
	case "debug":
		o.Debug = true
	case "", "error", "warning", "warn", "info":
	default:
		return nil, fmt.Errorf("--log-level %q: not error, warning or debug", level)
	}
	return log.New(o)
}
