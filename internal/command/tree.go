package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// Node is a command as help, manual pages and completions show it: all three come
// from the same tables. The image side prints its own as JSON.
type Node struct {
	Name string `json:"name"` // "mounts add"
	// Usage is one line, Args the arguments, Text paragraphs and examples.
	Usage string   `json:"usage"`
	Args  string   `json:"args,omitempty"`
	Text  string   `json:"text,omitempty"`
	Flags []Option `json:"flags,omitempty"`
	Subs  []Node   `json:"subs,omitempty"`
}

// Option is a flag.
type Option struct {
	Names []string `json:"names"` // without dashes, the long one first
	// Value is the word that stands for the value; empty: the flag takes none.
	Value string `json:"value,omitempty"`
	Usage string `json:"usage"`
}

// Tree describes the whole program.
func Tree(app *cli.App) Node {
	root := Node{Name: app.Name, Usage: app.Usage, Text: app.Description, Flags: options(app.Flags)}
	root.Flags = append(root.Flags, options([]cli.Flag{cli.HelpFlag, cli.VersionFlag})...)
	for _, c := range app.Commands {
		if !c.Hidden && c.Name != "help" {
			root.Subs = append(root.Subs, describe("", c))
		}
	}
	return root
}

func describe(parent string, c *cli.Command) Node {
	n := Node{Name: parent + c.Name, Usage: c.Usage, Args: c.ArgsUsage, Text: c.Description, Flags: options(c.Flags)}
	for _, sub := range c.Subcommands {
		n.Subs = append(n.Subs, describe(n.Name+" ", sub))
	}
	if len(n.Subs) == 0 {
		n.Flags = append(n.Flags, options([]cli.Flag{cli.HelpFlag})...)
	}
	return n
}

func options(flags []cli.Flag) []Option {
	var list []Option
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || f == nil {
			continue
		}
		o := Option{Names: f.Names()}
		o.Value, o.Usage = placeholder(doc.GetUsage())
		if doc.TakesValue() && o.Value == "" {
			o.Value = "VALUE"
		}
		if d := doc.GetDefaultText(); doc.TakesValue() && d != "" && d != `""` {
			o.Usage += " (default: " + strings.Trim(d, `"`) + ")"
		}
		list = append(list, o)
	}
	return list
}

// placeholder takes the word in backquotes out of a flag's text.
func placeholder(usage string) (value, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	value, after, _ := strings.Cut(rest, "`")
	return value, before + value + after
}

// Long is the name the flag is mostly called by.
func (o *Option) Long() string { return o.Names[0] }

// Dashed are the names with their dashes.
func (o *Option) Dashed() []string {
	list := make([]string, len(o.Names))
	for i, name := range o.Names {
		list[i] = dashed(name)
	}
	return list
}

// Leaves are the commands that do something: n's descendants without children.
func (n *Node) Leaves() []Node {
	var list []Node
	for i := range n.Subs {
		if len(n.Subs[i].Subs) == 0 {
			list = append(list, n.Subs[i])
		} else {
			list = append(list, n.Subs[i].Leaves()...)
		}
	}
	return list
}
