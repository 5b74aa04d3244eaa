package cli

import (
	"fmt"
	"slices"
	"strings"

	"berth/internal/command"
)

// bashCompletion finds the command among the words before the cursor, then offers
// values, flags, subcommands or containers.
func bashCompletion(root *command.Node) string {
	var b strings.Builder
	b.WriteString("# bash completion of berth\n")
	b.WriteString("_berth_containers() {\n\tlocal globals=()\n\t[[ -n $1 ]] && globals=(--root \"$1\")\n" +
		"\tberth \"${globals[@]}\" list -q 2>/dev/null\n}\n\n")
	b.WriteString("_berth() {\n" +
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= root= i args=0\n" +
		"\tCOMPREPLY=()\n" +
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n" +
		"\t\tcase \"$verb ${COMP_WORDS[i]}\" in\n")
	fmt.Fprintf(&b, "\t\t' --root' | ' -r') root=${COMP_WORDS[++i]} ;;\n")
	b.WriteString("\t\t" + strings.Join(bashValueFlags(root, ""), " | ") + ") ((i++)) ;;\n")
	for _, c := range commands(root) {
		if list := bashValueFlags(&c, c.Name); len(list) > 0 {
			b.WriteString("\t\t" + strings.Join(list, " | ") + ") ((i++)) ;;\n")
		}
	}
	b.WriteString("\t\t*' -'*) ;;\n")
	for _, c := range commands(root) {
		// "mounts add" is found when "mounts" is the verb and "add" the word.
		fmt.Fprintf(&b, "\t\t%s) verb=%s ;;\n", quote(bashPrefix(c.Name)), quote(c.Name))
	}
	b.WriteString("\t\t*) ((args++)) ;;\n\t\tesac\n\tdone\n")
	writeBashValues(&b, root)
	b.WriteString("\tlocal words=\n\tcase $verb in\n")
	writeBashWords(&b, "", root)
	for _, c := range commands(root) {
		writeBashWords(&b, c.Name, &c)
	}
	b.WriteString("\tesac\n" +
		"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n" +
		"}\n\ncomplete -F _berth berth\n")
	return b.String()
}

// commands are all nodes below the root, parents first.
func commands(root *command.Node) []command.Node {
	var list []command.Node
	for _, c := range root.Subs {
		list = append(append(list, c), commands(&c)...)
	}
	return list
}

// bashPrefix is what "$verb $word" is when word ends the command's name.
func bashPrefix(name string) string {
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name
	}
	return " " + name
}

// bashValueFlags are the flags whose next word is their value.
func bashValueFlags(n *command.Node, verb string) []string {
	var list []string
	for _, o := range n.Flags {
		if o.Value == "" {
			continue
		}
		for _, name := range o.Dashed() {
			if verb == "" && slices.Contains([]string{"--root", "-r"}, name) {
				continue
			}
			list = append(list, quote(verb+" "+name))
		}
	}
	return list
}

func writeBashValues(b *strings.Builder, root *command.Node) {
	b.WriteString("\tcase \"$verb $prev\" in\n")
	write := func(verb string, n *command.Node) {
		for _, o := range n.Flags {
			if o.Value == "" {
				continue
			}
			reply := "return"
			switch {
			case choices(o) != nil:
				reply = "COMPREPLY=($(compgen -W " + quote(strings.Join(choices(o), " ")) + " -- \"$cur\")); return"
			case files(o) == "dir":
				reply = "COMPREPLY=($(compgen -d -- \"$cur\")); return"
			case files(o) == "file":
				reply = "COMPREPLY=($(compgen -f -- \"$cur\")); return"
			}
			var names []string
			for _, name := range o.Dashed() {
				names = append(names, quote(verb+" "+name))
			}
			fmt.Fprintf(b, "\t%s) %s ;;\n", strings.Join(names, " | "), reply)
		}
	}
	write("", root)
	for _, c := range commands(root) {
		write(c.Name, &c)
	}
	b.WriteString("\tesac\n")
}

func writeBashWords(b *strings.Builder, verb string, n *command.Node) {
	var flags, subs []string
	for _, o := range n.Flags {
		flags = append(flags, o.Dashed()...)
	}
	for _, s := range n.Subs {
		subs = append(subs, s.Name[strings.LastIndexByte(s.Name, ' ')+1:])
	}
	fmt.Fprintf(b, "\t%s)\n\t\tif [[ $cur == -* ]]; then words=%s\n", quote(verb), quote(strings.Join(flags, " ")))
	switch {
	case len(subs) > 0:
		fmt.Fprintf(b, "\t\telse words=%s\n", quote(strings.Join(subs, " ")))
	case takesContainer(n):
		b.WriteString("\t\telif ((args == 0)); then words=$(_berth_containers \"$root\")\n")
	case verb == "completion":
		b.WriteString("\t\telse words='bash zsh fish'\n")
	}
	b.WriteString("\t\tfi ;;\n")
}
