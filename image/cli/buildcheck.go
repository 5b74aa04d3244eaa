package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"berth/image"
	"berth/image/build"
	"berth/image/build/display"
	"berth/image/build/plan"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// lint warns of rules that a Dockerfile does not keep, one line for each; it is an
// error if the Dockerfile says so: # check=error=true. Other faults are the build's to
// report.
func (b *berth) lint(o build.Options) error {
	list, failed, _ := plan.Check(o.Dockerfile, b.checkOptions(o))
	for _, v := range list {
		o.Warn(fmt.Sprintf("%s: %s (line %d)", v.Rule, v.Detail, v.First))
	}
	if !failed {
		return nil
	}
	var rules []string
	for _, v := range list {
		if !slices.Contains(rules, v.Rule) {
			rules = append(rules, v.Rule)
		}
	}
	return fmt.Errorf("check %s: rules that are not kept: %s", o.Name, strings.Join(rules, ", "))
}

// checkDockerfile prints what buildkit's rules say about a Dockerfile. Violations are
// a failure, as with docker.
func (b *berth) checkDockerfile(c *cli.Context, o build.Options) error {
	list, _, err := plan.Check(o.Dockerfile, b.checkOptions(o))
	var text bytes.Buffer
	for _, v := range list {
		fmt.Fprintf(&text, "WARNING: %s", v.Rule)
		if v.URL != "" {
			fmt.Fprintf(&text, " - %s", v.URL)
		}
		fmt.Fprintf(&text, "\n%s\n", v.Detail)
		display.Excerpt(&text, o.Name, o.Dockerfile, v.First, v.Last)
		text.WriteByte('\n')
	}
	if err != nil {
		if printErr := command.PrintBytes(out(c), text.Bytes()); printErr != nil {
			return printErr
		}
		var fault *plan.Fault
		if errors.As(err, &fault) {
			display.Excerpt(os.Stderr, fault.File, o.Dockerfile, fault.First, fault.Last)
		}
		return err
	}
	if len(list) == 0 {
		text.WriteString("Check complete, no warnings found.\n")
		return command.PrintBytes(out(c), text.Bytes())
	}
	if err := command.PrintBytes(out(c), text.Bytes()); err != nil {
		return err
	}
	if len(list) == 1 {
		return fmt.Errorf("check %s: 1 warning", o.Name)
	}
	return fmt.Errorf("check %s: %d warnings", o.Name, len(list))
}

// checkOptions are what the checker knows: base images only if the store has them.
func (b *berth) checkOptions(o build.Options) plan.CheckOptions {
	options := plan.CheckOptions{
		Options: plan.Options{Name: o.Name, BuildArgs: o.BuildArgs, Target: o.Target, Platform: image.HostPlatform(), BuildPlatform: image.HostPlatform()},
		Ignore:  o.Context.Ignore(),
		Base: func(name string) ([]string, image.Platform, bool) {
			ref, err := image.ParseReference(name)
			if err != nil {
				return nil, image.Platform{}, false
			}
			d, err := o.Store.Lookup(ref)
			if err != nil {
				return nil, image.Platform{}, false
			}
			img, err := o.Store.Image(d, image.HostPlatform())
			if err != nil {
				return nil, image.Platform{}, false
			}
			config, _, err := o.Store.ReadConfig(img.Manifest.Config)
			if err != nil {
				return nil, image.Platform{}, false
			}
			return config.Config.Env, config.Platform, true
		},
	}
	if len(o.Platforms) > 0 {
		options.Platform = o.Platforms[0]
	}
	return options
}
