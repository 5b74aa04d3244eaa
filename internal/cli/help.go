package cli

import (
	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// sayHelp gives cli's own help command berth's words, and its error about a name that
// is no command's. app has all its commands.
func sayHelp(app *cli.App) {
	app.Setup() // adds it; Run does no more
	help := app.Command("help")
	if help == nil {
		return
	}
	show := help.Action
	help.Usage, help.ArgsUsage = "tell about a command, or list them", "[COMMAND]"
	help.Action = func(c *cli.Context) error {
		if name := c.Args().First(); name != "" && app.Command(name) == nil {
			return command.Unknown(c)
		}
		return show(c)
	}
}
