package cli

import (
	"fmt"
	"strings"
	"sync"

	"berth/image/progress"
	"berth/image/store"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

func (b *berth) verify() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "hash everything in the store anew and look whether it is whole",
		Description: "Says each fault on a line of its own, and exits with status 1 if there is any.\n" +
			"Nothing is changed, unless --repair removes the damaged content: the next pull\n" +
			"fetches it again.\n\n" +
			"   berth verify\n" +
			"   berth verify --repair",
		Flags: []cli.Flag{
			command.FormatFlag(),
			&cli.BoolFlag{Name: "repair", DisableDefaultText: true, Usage: "remove damaged content"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, DisableDefaultText: true, Usage: "say nothing when all is well"},
		},
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			format, err := command.FormatOf(c)
			if err != nil {
				return err
			}
			open := b.readStore
			if c.Bool("repair") {
				if err := b.enter(false); err != nil { // layers have files of many owners
					return err
				}
				open = b.openStore
			}
			s, err := open()
			if err != nil {
				return err
			}
			defer s.Close()
			faults, err := b.verified(s, c.Bool("quiet"))
			if err != nil {
				return err
			}
			if err := printFaults(c, s, faults, format); err != nil {
				return err
			}
			return repair(c, s, faults)
		},
	}
}

// verified hashes with a bar on a terminal.
func (b *berth) verified(s *store.Store, quiet bool) ([]store.Fault, error) {
	show := quietProgress(quiet)
	defer show.Close()
	var mu sync.Mutex
	var task *progress.Task
	var last int64
	faults, err := s.Verify(b.ctx, func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if task == nil {
			task = show.Task("verify", "verify", total)
		}
		if done > last { // two goroutines may overtake each other
			task.Add(done - last)
			last = done
		}
	})
	task.Done("")
	return faults, err
}

func printFaults(c *cli.Context, s *store.Store, faults []store.Fault, format string) error {
	if format == "json" {
		if faults == nil {
			faults = []store.Fault{}
		}
		return command.PrintJSON(out(c), faults, "")
	}
	var text strings.Builder
	for _, f := range faults {
		text.WriteString(oneLine(f.String()) + "\n")
	}
	if len(faults) == 0 && !c.Bool("quiet") {
		u, err := s.Usage()
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "the store is sound: %s, %s\n", plural(u.Blobs, "blob"), size(u.BlobBytes))
	}
	return command.PrintBytes(out(c), []byte(text.String()))
}

func repair(c *cli.Context, s *store.Store, faults []store.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	if !c.Bool("repair") {
		return &command.Error{
			Code: command.ExitFailure, Err: fmt.Errorf("the store has %s", plural(len(faults), "fault")),
			Cure: "'berth verify --repair' removes damaged content; pull the images again then",
		}
	}
	n, err := s.Repair(faults)
	if err != nil {
		return err
	}
	if n < len(faults) {
		return &command.Error{
			Code: command.ExitFailure, Err: fmt.Errorf("%s repaired, %d left", plural(n, "fault"), len(faults)-n),
			Cure: "pull the images that are named again, or remove them",
		}
	}
	return nil
}
