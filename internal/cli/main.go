package cli

import (
	"time"

	"berth/internal/command"
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
	app := b.app(args)
	addImageVerbs(app, args)
	sayHelp(app)
	return b.finish(app.Run(command.OneSpelling(app, command.FlagsFirst(app, args, flagsLast))))
}

// app builds the command tree that args ask for. Verbs of one kind stand together in the
// help.
func (b *berth) app(args []string) *cli.App {
	cli.VersionFlag = &cli.BoolFlag{
		Name: "version", Aliases: []string{"v", "V"},
		Usage: "print the version, of the OCI runtime spec too", DisableDefaultText: true,
	}
	cli.VersionPrinter = printVersion
	command.FlagLines()
	app := &cli.App{
		Name:      "berth",
		HelpName:  "berth",
		Usage:     "run containers, from OCI bundles and from images, and build images",
		UsageText: "berth [global options] command [command options] [arguments]",
		Description: "berth creates, starts, enters and deletes containers on Linux, as the OCI\n" +
			"runtime specification says. Container engines call it in the place of runc.\n\n" +
			"A container is called by the name that you give it. From an image:\n\n" +
			"   berth run --image busybox try sh        # in the foreground; --detach leaves it running\n" +
			"   berth build -t app . && berth run --image app try\n\n" +
			"From a bundle, a directory with a config.json and a root file system:\n\n" +
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
		Before:                    b.before,
		Action:                    rootAction,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // finish does it
		DisableSliceFlagSeparator: true,                         // --env A=1,2 is one variable
		HideHelpCommand:           false,
	}
	called := ""
	if i := command.Name(app, args); i < len(args) {
		called = args[i]
	}
	app.Commands = b.commands(called)
	for _, c := range app.Commands {
		c.HideHelpCommand = true // a container may be called help
		c.OnUsageError = usageError
		skipFlagActions(c)
	}
	return app
}

// before sets up what the verb needs, and hides the global flags as skipFlagActions does
// those of a verb.
func (b *berth) before(c *cli.Context) error {
	err := b.setUp(c)
	c.Command.Flags = nil
	return err
}

// skipFlagActions hides the flags between parsing and action, when cli compares every one
// with all others to find those that have an action of their own. None has, and with
// the flags of run it takes a millisecond.
func skipFlagActions(cmd *cli.Command) {
	flags, action := cmd.Flags, cmd.Action
	cmd.Before = func(*cli.Context) error {
		cmd.Flags = nil
		return nil
	}
	cmd.Action = func(c *cli.Context) error {
		cmd.Flags = flags
		return action(c)
	}
}

// flagsLast are the verbs whose flags may stand behind the container: scripts for
// runc and crun write `update web --memory 1g`.
var flagsLast = []string{"update", "events", "stats"}

// verbs are the commands of the runtime.
var verbs = []struct {
	name string
	make func(*berth) *cli.Command
}{
	{"create", (*berth).create},
	{"start", (*berth).start},
	{"run", (*berth).run},
	{"exec", (*berth).exec},
	{"kill", (*berth).kill},
	{"delete", (*berth).delete},
	{"state", (*berth).state},
	{"list", (*berth).list},
	{"ps", (*berth).ps},
	{"wait", (*berth).wait},
	{"pause", (*berth).pause},
	{"resume", (*berth).resume},
	{"update", (*berth).update},
	{"events", (*berth).events},
	{"stats", (*berth).stats},
	{"spec", (*berth).spec},
	{"features", (*berth).features},
	{"info", (*berth).info},
	{"validate", (*berth).validate},
	{"mounts", (*berth).mounts},
	{"steps", (*berth).steps},
	{"completion", (*berth).completion},
	{"man", (*berth).man},
}

// commands are all verbs, or only the one that is called: the flags of the others are a
// tenth of the memory that a verb touches. Completion and manual are about all of them.
func (b *berth) commands(called string) []*cli.Command {
	all := make([]*cli.Command, 0, len(verbs))
	for _, v := range verbs {
		if v.name == called && called != "completion" && called != "man" {
			return append(all, v.make(b))
		}
	}
	for _, v := range verbs {
		all = append(all, v.make(b))
	}
	return all
}

// rootAction is what runs when no command has the name.
func rootAction(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	return command.Unknown(c)
}

// finish reports how the command went: its warnings or its one error, and the
// exit status.
func (b *berth) finish(err error) int {
	status, hint := 0, ""
	if err != nil {
		status, hint = exitCode(err, b.posixExit), hintOf(err)
	}
	return command.Finish(b.log, err, hint, status)
}
