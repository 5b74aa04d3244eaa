package cli

import (
	"fmt"
	"strings"

	"berth/internal/command"
)

// fishCompletion writes a line for each command and each flag.
func fishCompletion(root *command.Node) string {
	var b strings.Builder
	b.WriteString("# fish completion of berth\n" +
		"function __berth_containers\n\tberth list -q 2>/dev/null\nend\n\n" +
		"complete -c berth -f\n")
	for _, o := range root.Flags {
		writeFishFlag(&b, "__fish_use_subcommand", &o)
	}
	for i := range root.Subs {
		s := &root.Subs[i]
		fmt.Fprintf(&b, "complete -c berth -n __fish_use_subcommand -a %s -d %s\n", s.Name, fishQuote(s.Usage))
		writeFish(&b, s)
	}
	return b.String()
}

func writeFish(b *strings.Builder, n *command.Node) {
	seen := fishSeen(n.Name)
	for _, o := range n.Flags {
		writeFishFlag(b, seen, &o)
	}
	for i := range n.Subs {
		s := &n.Subs[i]
		fmt.Fprintf(b, "complete -c berth -n %s -a %s -d %s\n", fishQuote(seen), lastWord(s.Name), fishQuote(s.Usage))
		writeFish(b, s)
	}
	switch {
	case takesContainer(n):
		fmt.Fprintf(b, "complete -c berth -n %s -a '(__berth_containers)'\n", fishQuote(seen))
	case n.Name == "completion":
		fmt.Fprintf(b, "complete -c berth -n %s -a 'bash zsh fish'\n", fishQuote(seen))
	}
}

// fishSeen is the condition that every word of the command's name was typed.
func fishSeen(name string) string {
	var conditions []string
	for word := range strings.FieldsSeq(name) {
		conditions = append(conditions, "__fish_seen_subcommand_from "+word)
	}
	return strings.Join(conditions, "; and ")
}

func writeFishFlag(b *strings.Builder, condition string, o *command.Option) {
	fmt.Fprintf(b, "complete -c berth -n %s", fishQuote(condition))
	for _, name := range o.Names {
		if len(name) == 1 {
			fmt.Fprintf(b, " -s %s", name)
		} else {
			fmt.Fprintf(b, " -l %s", name)
		}
	}
	switch {
	case o.Value == "":
	case choices(*o) != nil:
		fmt.Fprintf(b, " -x -a %s", fishQuote(strings.Join(choices(*o), " ")))
	case files(*o) == "dir":
		b.WriteString(" -x -a '(__fish_complete_directories)'")
	case files(*o) == "file":
		b.WriteString(" -r -F")
	default:
		b.WriteString(" -x")
	}
	fmt.Fprintf(b, " -d %s\n", fishQuote(o.Usage))
}

// fishQuote: between single quotes fish guards \ and ' with a backslash.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
