package command

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"berth/internal/log"

	"github.com/urfave/cli/v2"
)

// Exit statuses besides those of workloads; they are runc's.
const (
	ExitFailure        = 1
	ExitUnknownCommand = 3
)

// Status is the end of a workload in the foreground: not an error of berth, and
// nothing is printed.
type Status int

func (s Status) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// Error is an error with an exit status other than 1, or with a hint.
type Error struct {
	Code int
	Err  error
	// Cure is the line after the error that tells what to do; may be empty.
	Cure string
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Hint is the line after the error that tells what to do.
func (e *Error) Hint() string { return e.Cure }

// ExitCode is the exit status after an error.
func ExitCode(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	var c cli.ExitCoder // "No help topic for", of cli itself
	if errors.As(err, &c) {
		return c.ExitCode()
	}
	return ExitFailure
}

// Finish reports how a command went, its warnings or its one error with the hint,
// closes the log, which may be nil when the global flags were wrong, and returns the
// exit status: status, or that of a workload.
func Finish(l *log.Logger, err error, hint string, status int) int {
	if l == nil {
		fresh, e := log.New(log.Options{})
		if e != nil {
			panic(e) // nothing is opened
		}
		l = fresh
	}
	var ended Status
	if err == nil || errors.As(err, &ended) {
		l.Flush()
		status = int(ended)
	} else {
		l.Error(err)
		if hint != "" {
			fmt.Fprintln(os.Stderr, "hint: "+hint)
		}
	}
	// What the log could not take has no better place to be reported.
	_ = l.Close()
	return status
}
