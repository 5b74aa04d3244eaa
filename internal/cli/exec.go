package cli

import (
	"errors"

	"berth/internal/accounts"
	"berth/internal/command"
	"berth/libcontainer"
	"berth/specconv"

	"github.com/urfave/cli/v2"
)

func (b *berth) exec() *cli.Command {
	return &cli.Command{
		Name:      "exec",
		Usage:     "run a further process in a container",
		ArgsUsage: argContainer + " COMMAND [ARGUMENTS]",
		Description: "Exits with the status of the process, 128+N if signal N killed it, and with 255 if\n" +
			"it could not be run. What follows the container's id belongs to the process.\n\n" +
			"   berth exec -t web sh\n" +
			"   berth exec --user 1000:1000 --env LANG=C web id -u\n" +
			"   berth exec --process process.json --detach --pid-file /run/p.pid web",
		Flags: execFlags(),
		Action: func(c *cli.Context) error {
			oneAtATime()
			id, o, err := execOptions(c)
			if err != nil {
				return err
			}
			code, err := b.rt.Exec(id, o)
			if err != nil {
				return &command.Error{Code: exitExec, Err: err}
			}
			return ended(code, nil)
		},
	}
}

func execFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "process", Aliases: []string{"p"}, Usage: "read the process from `FILE`, which looks like process in config.json"},
		&cli.StringFlag{Name: "cwd", Aliases: []string{"workdir", "w"}, Usage: "working `DIR` in the container"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "add `KEY=VALUE` to the environment (repeatable)"},
		&cli.BoolFlag{Name: "tty", Aliases: []string{"t"}, DisableDefaultText: true, Usage: "give the process a terminal"},
		interactiveFlag(),
		&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "`USER[:GROUP]`, each a number, or a name from the container's /etc/passwd and /etc/group"},
		&cli.StringSliceFlag{Name: "additional-gids", Aliases: []string{"g"}, Usage: "add the group `GID` (repeatable)"},
		&cli.StringSliceFlag{Name: "cap", Aliases: []string{"c"}, Usage: "add the capability `CAP` to those of the container (repeatable)"},
		&cli.BoolFlag{Name: "no-new-privs", DisableDefaultText: true, Usage: "the process cannot gain privileges"},
		&cli.StringFlag{Name: "process-label", Usage: "SELinux `LABEL` of the process"},
		&cli.StringFlag{Name: "apparmor", Usage: "AppArmor `PROFILE` of the process"},
		&cli.StringSliceFlag{Name: "cgroup", Usage: "run in a child cgroup: `[CONTROLLER,...:]PATH` below the container's (repeatable)"},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, DisableDefaultText: true, Usage: "return when the process runs"},
		consoleSocketFlag(),
		pidFileFlag(),
		pidfdSocketFlag(),
		preserveFDsFlag(),
		&cli.BoolFlag{Name: "ignore-paused", DisableDefaultText: true, Usage: "start the process in a paused container; it runs once that is resumed"},
		&cli.BoolFlag{Name: "no-subreaper", Hidden: true},
	}
}

// execOptions checks all that can be checked without the container.
func execOptions(c *cli.Context) (string, libcontainer.ExecOptions, error) {
	o := libcontainer.ExecOptions{
		Env:           c.StringSlice("env"),
		Cwd:           c.String("cwd"),
		User:          c.String("user"),
		Caps:          c.StringSlice("cap"),
		Tty:           c.Bool("tty"),
		NoNewPrivs:    c.Bool("no-new-privs"),
		ProcessLabel:  c.String("process-label"),
		AppArmor:      c.String("apparmor"),
		Cgroup:        c.StringSlice("cgroup"),
		ConsoleSocket: c.String("console-socket"),
		PIDFile:       c.String("pid-file"),
		PidfdSocket:   c.String("pidfd-socket"),
		PreserveFDs:   int(c.Uint("preserve-fds")),
		Detach:        c.Bool("detach"),
		IgnorePaused:  c.Bool("ignore-paused"),
	}
	id := c.Args().First()
	if !c.Args().Present() {
		return "", o, command.Usage(c, errors.New(argContainer+" is missing"))
	}
	if c.IsSet("user") {
		if _, err := accounts.ParseUser(o.User); err != nil {
			return "", o, command.Usage(c, err)
		}
	}
	for _, g := range c.StringSlice("additional-gids") {
		gid, err := accounts.ParseID(g)
		if err != nil {
			return "", o, command.Usage(c, errors.New("--additional-gids: "+err.Error()))
		}
		o.AdditionalGids = append(o.AdditionalGids, gid)
	}
	o.Args = c.Args().Tail()
	if file := c.String("process"); file != "" {
		p, err := specconv.LoadProcess(file)
		if err != nil {
			return "", o, &command.Error{Code: exitExec, Err: err}
		}
		o.Process = p
	} else if len(o.Args) == 0 {
		return "", o, command.Usage(c, errors.New("COMMAND is missing"))
	}
	return id, o, nil
}
