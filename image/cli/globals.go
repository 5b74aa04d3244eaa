package cli

import (
	"os"
	"path/filepath"

	"berth/image/userns"
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// globalFlags are the image side's own, and those of the runtime, which are handed
// to it when a verb executes it.
func globalFlags() []cli.Flag {
	flags := append([]cli.Flag{
		command.StoreFlag(),
		&cli.IntFlag{Name: "runtime-fd", Hidden: true, Value: -1},
	}, command.LogFlags()...)
	return append(flags,
		&cli.StringFlag{Name: "root", Aliases: []string{"r"}, Hidden: true},
		&cli.BoolFlag{Name: "systemd-cgroup", Aliases: []string{"s"}, Hidden: true},
		&cli.StringFlag{Name: "cgroup-manager", Hidden: true},
		&cli.StringFlag{Name: "rootless", Hidden: true},
		&cli.BoolFlag{Name: "posix-exit", Hidden: true},
		&cli.BoolFlag{Name: "systemd-log", Hidden: true},
	)
}

// setUp turns the global flags into the log and the place of the store, before any
// verb.
func (b *berth) setUp(c *cli.Context) error {
	if !c.Args().Present() {
		return nil
	}
	l, err := command.NewLog(c)
	if err != nil {
		return err
	}
	b.log = l
	if b.storeDir = command.StoreDir(c); b.storeDir != "" {
		if b.storeDir, err = filepath.Abs(b.storeDir); err != nil {
			return err
		}
	}
	return b.runtime.adopt(c.Int("runtime-fd"))
}

// out is where a verb's output goes; command.PrintJSON and PrintBytes write it.
func out(c *cli.Context) *os.File {
	if f, ok := c.App.Writer.(*os.File); ok {
		return f
	}
	return os.Stdout
}

// enter executes the program again as root of a user namespace, if a user has called
// it, and with mounts in a private mount namespace. Verbs that unpack, read or remove
// unpacked layers call it before they do anything else. keep are descriptors that
// flags of the verb name.
func (b *berth) enter(mounts bool, keep ...userns.FD) error {
	return userns.Enter(userns.Options{
		Mounts: mounts,
		Keep:   append(keep, userns.FD{Flag: "runtime-fd", FD: b.runtime.fd}),
		Note:   b.log.Warn,
	})
}
