package build

import (
	"context"
	"fmt"
	"io"
)

// Runner executes the command of a RUN step.
type Runner interface {
	// Run runs the bundle in a directory to its end and returns the exit status of
	// the command. err is for everything else that went wrong. When ctx ends the
	// command is killed; when Run returns no process of it is left, and the bundle is
	// not used any more.
	Run(ctx context.Context, bundle string, io IO) (exit int, err error)
}

// IO are the streams of a command. Its input is empty.
type IO struct {
	Stdout, Stderr io.Writer
}

// RunError says that the command of a RUN step has failed.
type RunError struct {
	// Command is what was run, as one line.
	Command string
	Exit    int
	// Output is the end of what it has printed.
	Output string
}

func (e *RunError) Error() string {
	return fmt.Sprintf("RUN %s: exit status %d", e.Command, e.Exit)
}
