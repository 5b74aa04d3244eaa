package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"berth/internal/log"
	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

// berth is one invocation: what the global flags, which come first, have set up
// for the verb.
type berth struct {
	rt  *libcontainer.Runtime
	log *log.Logger
	// posixExit is --posix-exit.
	posixExit bool
}

// Main runs berth with its arguments, args[0] being its name, and returns the
// exit status.
func Main(args []string) int {
	b := &berth{}
	app := b.app()
	return b.finish(app.Run(oneSpelling(app, flagsFirst(app, args))))
}

// app builds the command tree. Verbs of one kind stand together in the help.
func (b *berth) app() *cli.App {
	cli.VersionFlag = &cli.BoolFlag{
		Name: "version", Aliases: []string{"v", "V"},
		Usage: "print the version, of the OCI runtime spec too", DisableDefaultText: true,
	}
	cli.VersionPrinter = printVersion
	app := &cli.App{
		Name:      "berth",
		HelpName:  "berth",
		Usage:     "run containers from OCI bundles",
		UsageText: "berth [global options] command [command options] [arguments]",
		Description: "berth creates, starts, enters and deletes containers on Linux, as the OCI\n" +
			"runtime specification says. Container engines call it in the place of runc.\n\n" +
			"A bundle is a directory with a config.json and a root file system:\n\n" +
			"   mkdir -p bundle/rootfs && cd bundle     # put a root file system into rootfs\n" +
			"   berth spec                              # writes config.json, to be edited\n" +
			"   berth run web                           # in the foreground, or in steps:\n\n" +
			"   berth create web && berth start web\n" +
			"   berth exec -t web sh\n" +
			"   berth kill web && berth delete web\n\n" +
			"Flags come before arguments. 'berth COMMAND --help' tells about a command.",
		Version:                   version,
		Compiled:                  time.Unix(0, 0), // else cli stats the executable
		Flags:                     globalFlags(),
		Before:                    b.setUp,
		Commands:                  b.commands(),
		Action:                    rootAction,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // finish does it
		DisableSliceFlagSeparator: true,                         // --env A=1,2 is one variable
		HideHelpCommand:           false,
	}
	for _, c := range app.Commands {
		c.HideHelpCommand = true // a container may be called help
		c.OnUsageError = usageError
	}
	return app
}

func (b *berth) commands() []*cli.Command {
	return []*cli.Command{
		b.create(), b.start(), b.run(), b.exec(), b.kill(), b.delete(),
		b.state(), b.list(), b.ps(), b.wait(), b.pause(), b.resume(),
		b.update(), b.events(), b.stats(),
		b.spec(), b.features(),
		b.info(), b.validate(), b.mounts(), b.completion(), b.man(),
	}
}

// rootAction is what runs when no command has the name.
func rootAction(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	name := c.Args().First()
	names := make([]string, 0, len(c.App.Commands))
	for _, cmd := range c.App.Commands {
		names = append(names, cmd.Name)
	}
	return &exitError{
		code: exitUnknownCommand,
		err:  fmt.Errorf("unknown command %q", name),
		hint: suggest(name, names, "", "'berth --help' lists the commands"),
	}
}

// finish reports how the command went: its warnings or its one error, and the
// exit status.
func (b *berth) finish(err error) int {
	if b.log == nil {
		// The global flags were wrong: there is no log yet.
		l, e := log.New(log.Options{})
		if e != nil {
			panic(e) // nothing is opened
		}
		b.log = l
	}
	var status statusError
	if err == nil || errors.As(err, &status) {
		b.log.Flush()
		return b.closeLog(int(status))
	}
	b.log.Error(err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(os.Stderr, "hint: "+hint)
	}
	return b.closeLog(exitCode(err, b.posixExit))
}

func (b *berth) closeLog(code int) int {
	// What the log could not take has no better place to be reported.
	_ = b.log.Close()
	return code
}
