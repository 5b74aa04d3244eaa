package cli

import (
	"errors"

	"berth/internal/command"
	"berth/libcontainer"
)

// exitExec is the exit status of an exec that could not run its process; it is runc's.
const exitExec = 255

// ended turns what run and exec return into the error finish knows.
func ended(code int, err error) error {
	if err != nil {
		return err
	}
	if code != 0 {
		return command.Status(code)
	}
	return nil
}

// exitCode is the exit status after an error. posix gives commands that cannot be
// run those of a shell.
func exitCode(err error, posix bool) int {
	if status := libcontainer.ExitStatus(err); posix && status != 0 {
		return status
	}
	return command.ExitCode(err)
}

// hintOf is the line that follows an error.
func hintOf(err error) string {
	var e *command.Error
	if errors.As(err, &e) && e.Cure == "" {
		err = e.Err // one that only has an exit status
	}
	return libcontainer.Hint(err)
}
