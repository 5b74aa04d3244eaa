package cli

import (
	"fmt"
	"strings"

	"berth/internal/command"
)

// zshCompletion hands each command's flags to _arguments.
func zshCompletion(root *command.Node) string {
	var b strings.Builder
	b.WriteString("#compdef berth\n\n" +
		"_berth_containers() {\n" +
		"\tlocal -a ids\n" +
		"\tids=(${(f)\"$(berth ${opt_args[--root]:+--root ${opt_args[--root]}} list -q 2>/dev/null)\"})\n" +
		"\tcompadd -a ids\n}\n\n")
	writeZsh(&b, "_berth", root)
	b.WriteString("_berth \"$@\"\n")
	return b.String()
}

// writeZsh writes the function of a command, after those of its children.
func writeZsh(b *strings.Builder, function string, n *command.Node) {
	for i := range n.Subs {
		writeZsh(b, zshFunction(&n.Subs[i]), &n.Subs[i])
	}
	fmt.Fprintf(b, "%s() {\n\tlocal curcontext=$curcontext state line\n\ttypeset -A opt_args\n\t_arguments -C -S", function)
	for _, o := range n.Flags {
		for _, name := range o.Dashed() {
			fmt.Fprintf(b, " \\\n\t\t%s", quote(zshFlag(name, &o)))
		}
	}
	switch {
	case len(n.Subs) > 0:
		b.WriteString(" \\\n\t\t'1: :->command' '*:: :->rest'\n\tcase $state in\n\tcommand)\n\t\tlocal -a list=(")
		for _, s := range n.Subs {
			fmt.Fprintf(b, "\n\t\t\t%s", quote(lastWord(s.Name)+":"+s.Usage))
		}
		b.WriteString(")\n\t\t_describe command list ;;\n\trest)\n\t\tcase $line[1] in\n")
		for _, s := range n.Subs {
			fmt.Fprintf(b, "\t\t%s) %s ;;\n", lastWord(s.Name), zshFunction(&s))
		}
		b.WriteString("\t\tesac ;;\n\tesac\n")
	case takesContainer(n):
		b.WriteString(" \\\n\t\t'1:container:_berth_containers' '*:argument:_files'\n")
	case n.Name == "completion":
		b.WriteString(" \\\n\t\t'1:shell:(bash zsh fish)'\n")
	default:
		b.WriteString("\n")
	}
	b.WriteString("}\n\n")
}

// zshFlag is an optspec of _arguments.
func zshFlag(name string, o *command.Option) string {
	// Brackets and colons end the parts of a spec.
	text := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(o.Usage)
	spec := name + "[" + text + "]"
	if strings.Contains(o.Usage, "(repeatable)") {
		spec = "*" + spec
	}
	if o.Value == "" {
		return spec
	}
	value := strings.NewReplacer("[", "", "]", "", ":", " ").Replace(o.Value)
	action := ""
	switch {
	case choices(*o) != nil:
		action = "(" + strings.Join(choices(*o), " ") + ")"
	case files(*o) == "dir":
		action = "_files -/"
	case files(*o) == "file":
		action = "_files"
	}
	return spec + ":" + value + ":" + action
}

func zshFunction(n *command.Node) string { return "_berth_" + strings.ReplaceAll(n.Name, " ", "_") }

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }
