package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"berth/internal/command"

	"github.com/urfave/cli/v2"
)

// man writes the manual pages: what --help says, as roff.
func (b *berth) man() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "write the manual pages into a directory",
		ArgsUsage: "DIR",
		Hidden:    true, // for the build
		Action: func(c *cli.Context) error {
			args, err := command.Arguments(c, "DIR")
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root, err := wholeTree(c.App)
			if err != nil {
				return err
			}
			pages := append([]command.Node{root}, root.Leaves()...)
			for i := range pages {
				name := filepath.Join(args[0], pageName(&pages[i])+".8")
				if err := os.WriteFile(name, page(&pages[i], &root), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func pageName(n *command.Node) string {
	if n.Name == "berth" {
		return n.Name
	}
	return "berth-" + strings.ReplaceAll(n.Name, " ", "-")
}

// page renders one page (man(7)).
func page(n, root *command.Node) []byte {
	var b bytes.Buffer
	name := pageName(n)
	fmt.Fprintf(&b, ".TH %s 8 \"\" \"berth %s\" \"OCI container runtime\"\n", strings.ToUpper(name), roff(version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", roff(name), roff(n.Usage))
	if n.Name == root.Name {
		b.WriteString("\\fBberth\\fR [\\fIglobal options\\fR] \\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n")
	} else {
		fmt.Fprintf(&b, "\\fBberth %s\\fR [\\fIoptions\\fR] %s\n", roff(n.Name), roff(n.Args))
	}
	if n.Text != "" {
		b.WriteString(".SH DESCRIPTION\n")
		writeText(&b, n.Text)
	}
	if n.Name == root.Name {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range n.Leaves() {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR(8)\n%s\n", roff(pageName(&c)), roff(c.Usage))
		}
	}
	writeOptions(&b, n)
	if n.Name != root.Name {
		b.WriteString(".SH SEE ALSO\n\\fBberth\\fR(8)\n")
	}
	return b.Bytes()
}

func writeOptions(b *bytes.Buffer, n *command.Node) {
	b.WriteString(".SH OPTIONS\n")
	for _, o := range n.Flags {
		b.WriteString(".TP\n\\fB" + roff(strings.Join(o.Dashed(), ", ")) + "\\fR")
		if o.Value != "" {
			b.WriteString(" \\fI" + roff(o.Value) + "\\fR")
		}
		b.WriteString("\n" + roff(o.Usage) + "\n")
	}
}

// writeText turns the text of --help into paragraphs; indented lines are examples.
func writeText(b *bytes.Buffer, text string) {
	example := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "   ")
		if indented != example {
			example = indented
			if example {
				b.WriteString(".PP\n.nf\n.RS 4\n")
			} else {
				b.WriteString(".RE\n.fi\n")
			}
		}
		switch {
		case line == "":
			b.WriteString(".PP\n")
		case example:
			b.WriteString(roff(strings.TrimPrefix(line, "   ")) + "\n")
		default:
			b.WriteString(roff(line) + "\n")
		}
	}
	if example {
		b.WriteString(".RE\n.fi\n")
	}
}

// roff guards what roff would take for its own: backslashes, hyphens that are
// minus signs, and a dot or quote that begins a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", "\\(ga", "'", `\(aq`).Replace(s)
	if strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return s
}
