package cli

// elsewhere tells those who come from docker or podman what a flag of theirs is here;
// empty for flags that it does not know.
func elsewhere(verb, flag string) string {
	switch verb {
	case "run", "create":
		return elsewhereInRun(flag)
	case "list":
		if flag == "a" || flag == "all" {
			return "list shows every container, those that have stopped as well"
		}
	case "ps":
		if flag == "a" || flag == "all" {
			return hintList
		}
	case "kill":
		if flag == "s" || flag == "signal" {
			return "the signal follows the container: berth kill CONTAINER KILL"
		}
	}
	return ""
}

func elsewhereInRun(flag string) string {
	switch flag {
	case "name":
		return "the name is an argument: berth run --image IMAGE NAME"
	case "p", "publish", "P", "publish-all":
		return "berth has no networks of its own: with --net host the container listens on the host"
	case "privileged":
		return "--cap-add ALL --seccomp none is what berth has of it"
	case "mount":
		return "--volume SRC:DST[:ro] shows a directory of the host"
	}
	return ""
}

// Hints that more than one command has.
const (
	hintList  = "'berth list' shows the containers, ps the processes of one"
	hintImage = "of an image: berth run --image IMAGE NAME [COMMAND...]"
)
