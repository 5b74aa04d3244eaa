package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"berth/image/userns"
	"berth/internal/command"
	"berth/internal/log"

	"github.com/urfave/cli/v2"
)

// berth is one invocation: what the global flags, which come first, have set up
// for the verb.
type berth struct {
	// ctx ends with SIGINT, SIGTERM or SIGHUP. Whoever waits, copies or computes for
	// long looks at it.
	ctx context.Context
	log *log.Logger
	// storeDir is --store; empty for the default.
	storeDir string
	// mayWait: the verb tells what it waits for also where no terminal is.
	mayWait bool
	// runtime executes berth's runtime with the global flags of this invocation.
	runtime runtime
}

// Main runs the image side with its arguments, args[0] being its name, and returns
// the exit status.
func Main(args []string) int {
	args, err := userns.Begin(args)
	if err != nil {
		return command.Finish(nil, err, "", command.ExitFailure)
	}
	ctx, stop := untilSignal()
	defer stop()
	b := &berth{ctx: ctx}
	app := b.app()
	args = command.OneSpelling(app, command.FlagsFirst(app, args, flagsLast(app)))
	b.runtime.globals = runtimeGlobals(app, args)
	return b.finish(app.Run(args))
}

// app builds the command tree.
func (b *berth) app() *cli.App {
	command.FlagLines()
	app := &cli.App{
		Name:                      "berth",
		HelpName:                  "berth",
		Usage:                     "images for containers",
		UsageText:                 "berth [global options] command [command options] [arguments]",
		Compiled:                  time.Unix(0, 0), // else cli stats the executable
		Flags:                     globalFlags(),
		Before:                    b.setUp,
		Commands:                  b.commands(),
		Action:                    rootAction,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // finish does it
		DisableSliceFlagSeparator: true,                         // --build-arg A=1,2 is one variable
		HideVersion:               true,
	}
	for _, c := range app.Commands {
		c.HideHelpCommand = true // an image may be called help
		c.OnUsageError = usageError
		for _, sub := range c.Subcommands {
			sub.OnUsageError = usageError
		}
	}
	return app
}

// flagsLast are the verbs whose flags may stand behind their arguments, as docker's
// users write them: all but those that hand the rest to a container.
func flagsLast(app *cli.App) []string {
	var names []string
	for _, c := range app.Commands {
		if c.Name != "prepare" {
			names = append(append(names, c.Name), c.Aliases...)
		}
	}
	return names
}

// rootAction is what runs when no command has the name.
func rootAction(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	return command.Unknown(c)
}

// usageError takes the place of cli's page of usage before an error.
func usageError(c *cli.Context, err error, _ bool) error {
	return command.UsageError(c, globalFlags(), err)
}

// finish reports how the command went: its warnings or its one error, and the
// exit status.
func (b *berth) finish(err error) int {
	if err == nil {
		return command.Finish(b.log, nil, "", 0)
	}
	var ended userns.Ended
	if errors.As(err, &ended) {
		// The child has said what there is to say.
		return command.Finish(b.log, command.Status(ended), "", 0)
	}
	if sig := caught(b.ctx); sig != 0 {
		// What was cut off says so in many ways; the signal is the reason.
		return command.Finish(b.log, fmt.Errorf("interrupted by %s", sig.name()), "", 128+int(sig))
	}
	return command.Finish(b.log, err, hintOf(err), command.ExitCode(err))
}
