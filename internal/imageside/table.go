package imageside

// Commands asks the image program for its table of commands, as JSON: what
// command.Node is encoded to. ErrMissing when there is no program.
func Commands() ([]byte, error) { return run(nil, []string{commandsVerb}) }
