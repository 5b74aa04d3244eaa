package cli

import (
	"fmt"
	"os"
	"strconv"

	"berth/internal/command"
	"berth/internal/idmap"
	"berth/seccomp"
	"berth/specconv"

	"github.com/urfave/cli/v2"
)

// templateFlags are the wishes that spec writes into a config.json.
func templateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "args", Usage: "run `COMMAND`, split into words as a shell does (repeatable)"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "add `KEY=VALUE` to the environment (repeatable)"},
		&cli.StringSliceFlag{Name: "bind", Usage: "show a directory or file of the host: `SRC:DST[:ro]` (repeatable)"},
		&cli.StringFlag{Name: "memory", Usage: "limit memory to `SIZE`: 64m, 1g"},
		&cli.StringFlag{Name: "cpus", Usage: "limit CPU time to `N` CPUs: 0.5, 2"},
		&cli.StringFlag{Name: "net", Usage: "`NETWORK` host (the host's) or none (a loopback)"},
		&cli.StringFlag{Name: "seccomp", Usage: "`PROFILE` default (Docker's) or none", DefaultText: "none"},
		&cli.StringFlag{Name: "userns", Usage: "`MODE` auto: a user namespace, the caller its root, with the ids of /etc/subuid and /etc/subgid"},
	}
}

func templateOptions(c *cli.Context) (specconv.TemplateOptions, error) {
	o := specconv.TemplateOptions{
		Rootless: c.Bool("rootless"),
		Env:      c.StringSlice("env"),
		Binds:    c.StringSlice("bind"),
		Net:      c.String("net"),
	}
	for _, line := range c.StringSlice("args") {
		words, err := splitWords(line)
		if err != nil {
			return o, fmt.Errorf("--args %q: %w", line, err)
		}
		o.Args = append(o.Args, words...)
	}
	if err := templateLimits(c, &o); err != nil {
		return o, err
	}
	switch profile := c.String("seccomp"); profile {
	case "", "none":
	case "default":
		var err error
		if o.Seccomp, err = seccomp.Default(); err != nil {
			return o, err
		}
	default:
		return o, fmt.Errorf("--seccomp %q: not default or none", profile)
	}
	switch mode := c.String("userns"); mode {
	case "":
	case "auto":
		// For a user a namespace means doing without privileges.
		o.Rootless = o.Rootless || os.Geteuid() != 0
		o.UIDs, o.GIDs = idmap.OfCaller()
	default:
		return o, fmt.Errorf("--userns %q: not auto", mode)
	}
	return o, nil
}

func templateLimits(c *cli.Context, o *specconv.TemplateOptions) error {
	if s := c.String("memory"); s != "" {
		n, err := command.Size(s)
		if err != nil || *n <= 0 {
			return fmt.Errorf("--memory %q: %w", s, command.ErrSize)
		}
		o.Memory = *n
	}
	if s := c.String("cpus"); s != "" {
		n, err := strconv.ParseFloat(s, 64)
		// The kernel takes no quota below 1 ms of 100.
		if err != nil || !(n >= 0.01 && n <= 1<<20) {
			return fmt.Errorf("--cpus %q: not a number of CPUs from 0.01 on", s)
		}
		o.CPUs = n
	}
	return nil
}
