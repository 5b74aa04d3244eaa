package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func (b *berth) events() *cli.Command {
	return &cli.Command{
		Name:      "events",
		Usage:     "report a container's statistics and out-of-memory events, as JSON",
		ArgsUsage: argContainer,
		Description: "Prints a line of JSON with the statistics at every interval, and one each time the\n" +
			"container runs out of memory, until it ends. 'berth stats' is for people.\n\n" +
			"   berth events --interval 1s web\n" +
			"   berth events --stats web         # once, and no events",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "interval", Value: "5s", Usage: "`TIME` between two statistics: 500ms, 5s, or a number of seconds", DefaultText: "5s"},
			&cli.BoolFlag{Name: "stats", DisableDefaultText: true, Usage: "print the statistics once and exit"},
		},
		Action: func(c *cli.Context) error {
			id, err := containerID(c)
			if err != nil {
				return err
			}
			every, err := interval(c)
			if err != nil {
				return err
			}
			o := libcontainer.EventsOptions{Interval: every, Once: c.Bool("stats")}
			return b.rt.Events(id, o, func(e libcontainer.Event) error {
				return command.PrintJSON(c.App.Writer, e, "")
			})
		},
	}
}

// interval parses --interval: runc takes a duration, youki seconds.
func interval(c *cli.Context) (time.Duration, error) {
	s := c.String("interval")
	d, err := time.ParseDuration(s)
	if n, e := strconv.ParseUint(s, 10, 31); e == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err == nil && d <= 0 {
		err = errors.New("must be greater than 0")
	} else if err != nil {
		err = errors.New("not a time like 500ms or 5s")
	}
	if err != nil {
		return 0, command.Usage(c, fmt.Errorf("--interval %q: %w", s, err))
	}
	return d, nil
}
