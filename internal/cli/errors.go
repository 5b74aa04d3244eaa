package cli

import (
	"errors"
	"strconv"

	"berth/libcontainer"

	"github.com/urfave/cli/v2"
)

// Exit statuses besides those of workloads; they are runc's.
const (
	exitFailure        = 1
	exitUnknownCommand = 3
	exitExec           = 255 // exec could not run its process
)

// statusError is the end of a workload in the foreground: not an error of berth,
// and nothing is printed.
type statusError int

func (s statusError) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// ended turns what run and exec return into the error finish knows.
func ended(code int, err error) error {
	if err != nil {
		return err
	}
	if code != 0 {
		return statusError(code)
	}
	return nil
}

// exitError is an error with an exit status other than 1, or with a hint.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// Hint is the line after the error that tells what to do.
func (e *exitError) Hint() string { return e.hint }

// exitCode is the exit status after an error. posix gives commands that cannot be
// run those of a shell.
func exitCode(err error, posix bool) int {
	if status := libcontainer.ExitStatus(err); posix && status != 0 {
		return status
	}
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	var c cli.ExitCoder // "No help topic for", of cli itself
	if errors.As(err, &c) {
		return c.ExitCode()
	}
	return exitFailure
}

// hintOf is the line that follows an error.
func hintOf(err error) string {
	var e *exitError
	if errors.As(err, &e) && e.hint == "" {
		err = e.err // one that only has an exit status
	}
	return libcontainer.Hint(err)
}
