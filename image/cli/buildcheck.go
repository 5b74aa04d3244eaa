package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"berth/image"
	"berth/image/build"
	"berth/image/build/display"
	"berth/image/build/plan"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// checkDockerfile prints what buildkit's rules say about a Dockerfile. Violations are
// a failure, as with docker.
func (b *berth) checkDockerfile(c *cli.Context, o build.Options) error {
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
	list, _, err := plan.Check(o.Dockerfile, options)
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
	return fmt.Errorf("check %s: %d warnings", o.Name, len(list))
}
