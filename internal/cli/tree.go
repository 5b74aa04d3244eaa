package cli

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// node is a command as help, manual pages and completions show it: all three come
// from the same tables.
type node struct {
	name string // "mounts add"
	// usage is one line, args the arguments, text paragraphs and examples.
	usage, args, text string
	flags             []option
	subs              []node
}

// option is a flag.
type option struct {
	names []string // without dashes, the long one first
	// value is the word that stands for the value; empty: the flag takes none.
	value string
	usage string
}

// tree describes the whole program.
func tree(app *cli.App) node {
	root := node{name: app.Name, usage: app.Usage, text: app.Description, flags: options(app.Flags)}
	root.flags = append(root.flags, options([]cli.Flag{cli.HelpFlag, cli.VersionFlag})...)
	for _, c := range app.Commands {
		if !c.Hidden && c.Name != "help" {
			root.subs = append(root.subs, describe("", c))
		}
	}
	return root
}

func describe(parent string, c *cli.Command) node {
	n := node{name: parent + c.Name, usage: c.Usage, args: c.ArgsUsage, text: c.Description, flags: options(c.Flags)}
	for _, sub := range c.Subcommands {
		n.subs = append(n.subs, describe(n.name+" ", sub))
	}
	if len(n.subs) == 0 {
		n.flags = append(n.flags, options([]cli.Flag{cli.HelpFlag})...)
	}
	return n
}

func options(flags []cli.Flag) []option {
	var list []option
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || f == nil {
			continue
		}
		o := option{names: f.Names()}
		o.value, o.usage = placeholder(doc.GetUsage())
		if doc.TakesValue() && o.value == "" {
			o.value = "VALUE"
		}
		if d := doc.GetDefaultText(); doc.TakesValue() && d != "" && d != `""` {
			o.usage += " (default: " + strings.Trim(d, `"`) + ")"
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

// long is the name the flag is mostly called by.
func (o *option) long() string { return o.names[0] }

// dashed are the names with their dashes.
func (o *option) dashed() []string {
	list := make([]string, len(o.names))
	for i, name := range o.names {
		list[i] = "--" + name
		if len(name) == 1 {
			list[i] = "-" + name
		}
	}
	return list
}

// leaves are the commands that do something: n's descendants without children.
func (n *node) leaves() []node {
	var list []node
	for i := range n.subs {
		if len(n.subs[i].subs) == 0 {
			list = append(list, n.subs[i])
		} else {
			list = append(list, n.subs[i].leaves()...)
		}
	}
	return list
}

// choices are the values that a flag may have, where they are few: its text says
// "`FORMAT` of the output: table or json".
func (o *option) choices() []string {
	switch o.long() {
	case "format":
		return []string{"table", "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"error", "warning", "debug"}
	case "cgroup-manager":
		return []string{"cgroupfs", "systemd", "disabled"}
	case "rootless":
		return []string{"true", "false", "auto"}
	case "net":
		return []string{"host", "none"}
	case "seccomp":
		return []string{"default", "none"}
	case "userns":
		return []string{"auto"}
	}
	return nil
}

// files tells what the value of a flag names: "dir", "file" or nothing.
func (o *option) files() string {
	switch o.value {
	case "DIR":
		return "dir"
	case "FILE", "PATH":
		return "file"
	}
	return ""
}
