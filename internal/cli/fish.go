package cli

import (
	"fmt"
	"strings"
)

// fishCompletion writes a line for each command and each flag.
func fishCompletion(root *node) string {
	var b strings.Builder
	b.WriteString("# fish completion of berth\n" +
		"function __berth_containers\n\tberth list -q 2>/dev/null\nend\n\n" +
		"complete -c berth -f\n")
	for _, o := range root.flags {
		writeFishFlag(&b, "__fish_use_subcommand", &o)
	}
	for i := range root.subs {
		s := &root.subs[i]
		fmt.Fprintf(&b, "complete -c berth -n __fish_use_subcommand -a %s -d %s\n", s.name, fishQuote(s.usage))
		writeFish(&b, s)
	}
	return b.String()
}

func writeFish(b *strings.Builder, n *node) {
	seen := fishSeen(n.name)
	for _, o := range n.flags {
		writeFishFlag(b, seen, &o)
	}
	for i := range n.subs {
		s := &n.subs[i]
		fmt.Fprintf(b, "complete -c berth -n %s -a %s -d %s\n", fishQuote(seen), lastWord(s.name), fishQuote(s.usage))
		writeFish(b, s)
	}
	switch {
	case n.takesContainer():
		fmt.Fprintf(b, "complete -c berth -n %s -a '(__berth_containers)'\n", fishQuote(seen))
	case n.name == "completion":
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

func writeFishFlag(b *strings.Builder, condition string, o *option) {
	fmt.Fprintf(b, "complete -c berth -n %s", fishQuote(condition))
	for _, name := range o.names {
		if len(name) == 1 {
			fmt.Fprintf(b, " -s %s", name)
		} else {
			fmt.Fprintf(b, " -l %s", name)
		}
	}
	switch {
	case o.value == "":
	case o.choices() != nil:
		fmt.Fprintf(b, " -x -a %s", fishQuote(strings.Join(o.choices(), " ")))
	case o.files() == "dir":
		b.WriteString(" -x -a '(__fish_complete_directories)'")
	case o.files() == "file":
		b.WriteString(" -r -F")
	default:
		b.WriteString(" -x")
	}
	fmt.Fprintf(b, " -d %s\n", fishQuote(o.usage))
}

// fishQuote: between single quotes fish guards \ and ' with a backslash.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
