package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) ps() *cli.Command {
	return &cli.Command{
		Name:      "ps",
		Usage:     "show the processes of a container",
		ArgsUsage: argContainer + " [PS ARGUMENTS]",
		Description: "The table is that of the host's ps, whose arguments may follow (default: -ef).\n" +
			"On a host without ps, berth prints a small table of its own.\n\n" +
			"   berth ps web\n" +
			"   berth ps web aux\n" +
			"   berth ps --format json web       # process ids",
		Flags: []cli.Flag{command.FormatFlag()},
		Action: func(c *cli.Context) error {
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			if !c.Args().Present() {
				e := command.Usage(c, errors.New(argContainer+" is missing"))
				e.Cure = hintList
				return e
			}
			pids, err := b.rt.Ps(c.Args().First())
			if err != nil {
				return err
			}
			if format == "json" {
				if pids == nil {
					pids = []int{}
				}
				return command.PrintJSON(c.App.Writer, pids, "")
			}
			table, err := hostPs(c.Args().Tail())
			if errors.Is(err, exec.ErrNotFound) && c.NArg() == 1 {
				return command.PrintBytes(c.App.Writer, ownPs(pids))
			}
			if err != nil {
				return err
			}
			if table, err = onlyPids(table, pids); err != nil {
				return err
			}
			return command.PrintBytes(c.App.Writer, table)
		},
	}
}

// hostPs runs the host's ps.
func hostPs(args []string) ([]byte, error) {
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	out, err := exec.Command("ps", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return nil, fmt.Errorf("ps %s: %s: %w", strings.Join(args, " "), first, err)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, &command.Error{
			Code: command.ExitFailure,
			Err:  fmt.Errorf("ps %s: %w", strings.Join(args, " "), err),
			Cure: "install ps on the host (package procps), or leave its arguments away",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ps %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// onlyPids keeps the header of a table of ps and the lines of the given processes.
func onlyPids(table []byte, pids []int) ([]byte, error) {
	header, rest, _ := bytes.Cut(table, []byte("\n"))
	column := slices.IndexFunc(bytes.Fields(header), func(f []byte) bool { return string(f) == "PID" })
	if column < 0 {
		return nil, errors.New("ps shows no PID column to choose processes by")
	}
	out := append(bytes.Clone(header), '\n')
	for line := range bytes.Lines(rest) {
		fields := bytes.Fields(line)
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(string(fields[column]))
		if err == nil && slices.Contains(pids, pid) {
			out = append(out, line...)
		}
	}
	return out, nil
}
