package cli

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/urfave/cli/v2"
)

// regexFlag is crun's: the argument stands for many containers.
func regexFlag(verb string) cli.Flag {
	return &cli.BoolFlag{Name: "regex", Aliases: []string{"r"}, DisableDefaultText: true, Usage: verb + " every container whose id the regular expression " + argContainer + " matches"}
}

// each calls do for the container, or with --regex for every one that matches.
func (b *berth) each(c *cli.Context, id string, do func(id string) error) error {
	if !c.Bool("regex") {
		return do(id)
	}
	re, err := regexp.Compile(id)
	if err != nil {
		return fmt.Errorf("--regex: %w", err)
	}
	return b.eachOf(re.MatchString, do)
}

// eachOf calls do for every container that is wanted, and goes on after errors.
func (b *berth) eachOf(wanted func(id string) bool, do func(id string) error) error {
	infos, err := b.rt.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, i := range infos {
		if !wanted(i.ID) {
			continue
		}
		if err := do(i.ID); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", i.ID, err))
		}
	}
	return errors.Join(errs...)
}
