package imageside

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// Commands asks the image program for its table of commands, as JSON: what
// command.Node is encoded to. ErrMissing when there is no program.
func Commands() ([]byte, error) {
	file, err := open()
	if err != nil {
		return nil, err
	}
	program := os.NewFile(uintptr(file), "berth-image")
	defer program.Close() // it was only read
	cmd := &exec.Cmd{Path: "/proc/self/fd/" + strconv.Itoa(file), Args: []string{"berth", commandsVerb}}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s: %s", commandsVerb, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", commandsVerb, err)
	}
	return out, nil
}
