package cli

import (
	"fmt"

	"berth/internal/command"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

func (b *berth) create() *cli.Command {
	return &cli.Command{
		Name:      "create",
		Usage:     "make a container from a bundle, to be started later",
		ArgsUsage: argContainer + " [COMMAND...]",
		Description: "Makes the container's namespaces, mounts and cgroup, and leaves a process in it\n" +
			"that waits for 'berth start' to become the program of config.json.\n\n" +
			"   berth create --bundle /bundles/web --pid-file /run/web.pid web\n" +
			"   berth create --image nginx web   # from an image, see 'berth run --help'",
		Flags: createFlags(),
		Action: func(c *cli.Context) error {
			oneAtATime()
			o, err := b.createOptions(c)
			if err != nil {
				return err
			}
			err = b.rt.Create(o)
			b.abandon(&o, err)
			return err
		},
	}
}

// createFlags are the flags of create, which run shares.
func createFlags() []cli.Flag {
	return append([]cli.Flag{
		bundleFlag(),
		&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: "read `FILE` in the place of the bundle's config.json"},
		consoleSocketFlag(),
		pidFileFlag(),
		pidfdSocketFlag(),
		&cli.BoolFlag{Name: "no-pivot", DisableDefaultText: true, Usage: "enter the root file system without pivot_root(2), for a root on a ramfs"},
		&cli.BoolFlag{Name: "no-new-keyring", DisableDefaultText: true, Usage: "keep the caller's session keyring"},
		preserveFDsFlag(),
		&cli.BoolFlag{Name: "strict", DisableDefaultText: true, Usage: "refuse what would be left out with a warning, and fields that config.json does not have"},
		&cli.BoolFlag{Name: "no-subreaper", Hidden: true},
	}, imageFlags()...)
}

func (b *berth) createOptions(c *cli.Context) (libcontainer.CreateOptions, error) {
	o := libcontainer.CreateOptions{
		ID:            c.Args().First(),
		Bundle:        c.String("bundle"),
		ConfigFile:    c.String("config"),
		ConsoleSocket: c.String("console-socket"),
		PIDFile:       c.String("pid-file"),
		PidfdSocket:   c.String("pidfd-socket"),
		NoPivot:       c.Bool("no-pivot"),
		NoNewKeyring:  c.Bool("no-new-keyring"),
		PreserveFDs:   int(c.Uint("preserve-fds")),
		Strict:        c.Bool("strict"),
	}
	if second := c.Args().Get(1); !c.IsSet("image") && second != "" && second[0] != '-' {
		e := command.Usage(c, fmt.Errorf("unexpected argument %q: config.json says what a bundle runs", second))
		e.Cure = hintImage
		return o, e
	}
	if !c.IsSet("image") || !c.Args().Present() {
		if _, err := containerID(c); err != nil {
			return o, err
		}
	}
	return o, b.fromImage(c, &o)
}

// Flags that more than one command has.

func bundleFlag() cli.Flag {
	return &cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "`DIR` with config.json (default: the working directory)"}
}

func consoleSocketFlag() cli.Flag {
	return &cli.StringFlag{Name: "console-socket", Usage: "send the terminal's master side to the Unix socket `PATH`"}
}

func pidFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "pid-file", Usage: "write the process id to `FILE`"}
}

func pidfdSocketFlag() cli.Flag {
	return &cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the process to the Unix socket `PATH`"}
}

func preserveFDsFlag() cli.Flag {
	return &cli.UintFlag{Name: "preserve-fds", Usage: "let the process inherit `N` file descriptors from 3 on", DefaultText: "0"}
}
