package cli

import (
	"fmt"
	"strings"
)

// zshCompletion hands each command's flags to _arguments.
func zshCompletion(root *node) string {
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
func writeZsh(b *strings.Builder, function string, n *node) {
	for i := range n.subs {
		writeZsh(b, zshFunction(&n.subs[i]), &n.subs[i])
	}
	fmt.Fprintf(b, "%s() {\n\tlocal curcontext=$curcontext state line\n\ttypeset -A opt_args\n\t_arguments -C -S", function)
	for _, o := range n.flags {
		for _, name := range o.dashed() {
			fmt.Fprintf(b, " \\\n\t\t%s", quote(zshFlag(name, &o)))
		}
	}
	switch {
	case len(n.subs) > 0:
		b.WriteString(" \\\n\t\t'1: :->command' '*:: :->rest'\n\tcase $state in\n\tcommand)\n\t\tlocal -a list=(")
		for _, s := range n.subs {
			fmt.Fprintf(b, "\n\t\t\t%s", quote(lastWord(s.name)+":"+s.usage))
		}
		b.WriteString(")\n\t\t_describe command list ;;\n\trest)\n\t\tcase $line[1] in\n")
		for _, s := range n.subs {
			fmt.Fprintf(b, "\t\t%s) %s ;;\n", lastWord(s.name), zshFunction(&s))
		}
		b.WriteString("\t\tesac ;;\n\tesac\n")
	case n.takesContainer():
		b.WriteString(" \\\n\t\t'1:container:_berth_containers' '*:argument:_files'\n")
	case n.name == "completion":
		b.WriteString(" \\\n\t\t'1:shell:(bash zsh fish)'\n")
	default:
		b.WriteString("\n")
	}
	b.WriteString("}\n\n")
}

// zshFlag is an optspec of _arguments.
func zshFlag(name string, o *option) string {
	// Brackets and colons end the parts of a spec.
	text := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(o.usage)
	spec := name + "[" + text + "]"
	if strings.Contains(o.usage, "(repeatable)") {
		spec = "*" + spec
	}
	if o.value == "" {
		return spec
	}
	value := strings.NewReplacer("[", "", "]", "", ":", " ").Replace(o.value)
	action := ""
	switch {
	case o.choices() != nil:
		action = "(" + strings.Join(o.choices(), " ") + ")"
	case o.files() == "dir":
		action = "_files -/"
	case o.files() == "file":
		action = "_files"
	}
	return spec + ":" + value + ":" + action
}

func zshFunction(n *node) string { return "_berth_" + strings.ReplaceAll(n.name, " ", "_") }

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }
