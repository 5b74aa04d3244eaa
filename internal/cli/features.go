package cli

import (
	"berth/internal/command"
	"berth/seccomp"
	"berth/specconv"

	"github.com/opencontainers/runtime-spec/specs-go/features"
	"github.com/urfave/cli/v2"
)

func (b *berth) features() *cli.Command {
	return &cli.Command{
		Name:  "features",
		Usage: "print what berth supports, as JSON",
		Description: "The document is the runtime specification's features.md; engines ask for it.\n\n" +
			"   berth features",
		Action: func(c *cli.Context) error {
			if _, err := command.Arguments(c); err != nil {
				return err
			}
			return command.PrintJSON(c.App.Writer, specconv.Features(version, commit, seccompFeatures()), "    ")
		},
	}
}

func seccompFeatures() *features.Seccomp {
	enabled := seccomp.Enabled()
	s := &features.Seccomp{Enabled: &enabled}
	if enabled {
		s.Actions, s.Operators, s.Archs = seccomp.Actions(), seccomp.Operators(), seccomp.Archs()
		s.KnownFlags, s.SupportedFlags = seccomp.KnownFlags(), seccomp.SupportedFlags()
	}
	return s
}
