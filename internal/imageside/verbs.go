package imageside

// Verb is a command of the image program, for berth's help.
type Verb struct{ Name, Usage string }

// verbs stand in the order of the help. Test: image/cli compares them with the
// program's own.
var verbs = []Verb{}

// Verbs are the commands that the image program has.
func Verbs() []Verb { return verbs }

// Has tells whether name is one of them, shown in the help or not.
func Has(name string) bool {
	switch name {
	case commandsVerb, prepareVerb, discardVerb:
		return true
	}
	for i := range verbs {
		if verbs[i].Name == name {
			return true
		}
	}
	return false
}

// commandsVerb prints the program's table of commands.
const commandsVerb = "image-commands"
