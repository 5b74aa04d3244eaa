package imageside

// Verb is a command of the image program, for berth's help.
type Verb struct{ Name, Usage string }

// verbs stand in the order of the help. Test: image/cli compares them with the
// program's own.
var verbs = []Verb{
	{"pull", "fetch images from a registry"},
	{"push", "send an image to a registry"},
	{"login", "keep the credentials for a registry"},
	{"logout", "forget the credentials for a registry"},
	{"tags", "list the tags of a repository"},
	{"search", "find repositories in a registry"},
	{"referrers", "list what refers to an image in its registry"},
	{"images", "list the images of the store"},
	{"tag", "give an image another name"},
	{"rmi", "remove images from the store"},
	{"inspect", "show an image's manifest and configuration"},
	{"history", "show how an image was made"},
	{"save", "write images to an archive or a directory"},
	{"load", "read images from an archive or a directory into the store"},
	{"import", "make an image with one layer from the archive of a root file system"},
	{"export", "write the root file system of a container or an image to a tar archive"},
	{"prune", "remove what nothing in the store needs any more"},
	{"verify", "hash everything in the store anew and look whether it is whole"},
	{"unpack", "make a bundle of an image, for any runtime"},
	{"build", "make an image from a Dockerfile"},
}

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
