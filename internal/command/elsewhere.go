package command

// elsewhere tells those who come from docker, podman or skopeo what a command of theirs
// is here; empty for words that it does not know.
func elsewhere(name string) string {
	switch name {
	case "rm", "remove":
		return "did you mean delete? 'berth rmi' removes images"
	case "stop":
		return "'berth kill CONTAINER' asks it to end, 'berth kill CONTAINER KILL' ends it"
	case "restart":
		return "a container starts once: delete it and run it anew"
	case "logs":
		return "berth keeps no output: a container writes to the stdout and stderr of the berth that made it"
	case "attach":
		return "'berth exec -t CONTAINER sh' opens a shell in it"
	case "top":
		return "did you mean ps?"
	case "unpause":
		return "did you mean resume?"
	case "ls", "container", "containers":
		return "did you mean list?"
	case "image":
		return "did you mean images?"
	case "buildx", "bud":
		return "did you mean build?"
	case "copy":
		return "'berth pull' and 'berth push' go between registries and the store, 'berth save' and 'berth load' between files and the store"
	case "commit":
		return "'berth export CONTAINER | berth import - NAME' makes an image of a container"
	case "cp":
		return "'berth export CONTAINER | tar -x PATH' takes files out of a container"
	case "network":
		return "berth has no networks of its own: 'berth run --net host' or none"
	case "volume":
		return "berth has no volumes with names: 'berth run --image IMAGE -v SRC:DST'"
	case "system":
		return "did you mean info, or prune?"
	case "version":
		return "did you mean --version?"
	case "checkpoint", "restore":
		return "berth cannot do that yet"
	}
	return ""
}
