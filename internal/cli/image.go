package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"berth/internal/command"
	"berth/internal/imageside"

	"github.com/urfave/cli/v2"
)

// addImageVerbs adds the commands of the image side, unless the runtime has the one
// that is called: then nobody looks at them. args are berth's own, handed on as they
// are.
func addImageVerbs(app *cli.App, args []string) {
	i := command.Name(app, args)
	if i < len(args) && app.Command(args[i]) != nil && args[i] != "help" {
		return
	}
	if i+1 < len(args) && (args[i] == "help" || args[i] == "h") && imageside.Has(args[i+1]) {
		args = append(append(append([]string{}, args[:i]...), args[i+1:]...), "--help")
		app.Action = func(*cli.Context) error { return imageside.Exec(args) }
		app.HideHelpCommand = true // which would only know the name
		return
	}
	hand := func(*cli.Context) error { return imageside.Exec(args) }
	for _, v := range imageside.Verbs() {
		app.Commands = append(app.Commands, &cli.Command{
			Name: v.Name, Usage: v.Usage, Category: "images",
			SkipFlagParsing: true, HideHelp: true, Action: hand,
		})
	}
	if i < len(args) && imageside.Has(args[i]) && app.Command(args[i]) == nil {
		app.Commands = append(app.Commands, &cli.Command{Name: args[i], Hidden: true, SkipFlagParsing: true, HideHelp: true, Action: hand})
	}
}

// wholeTree is the table of all commands: those of the runtime, and those of the
// image side if this berth has one.
func wholeTree(app *cli.App) (command.Node, error) {
	root := command.Tree(app)
	text, err := imageside.Commands()
	if errors.Is(err, imageside.ErrMissing) {
		return root, nil
	}
	if err != nil {
		return root, err
	}
	var side command.Node
	if err := json.Unmarshal(text, &side); err != nil {
		return root, fmt.Errorf("commands of the image side: %w", err)
	}
	root.Subs = append(root.Subs, side.Subs...)
	return root, nil
}
