package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"
)

// Fault is an error at a place in a Dockerfile.
type Fault struct {
	// File is the name of the Dockerfile as the user gave it.
	File string
	// First and Last are line numbers from 1 on, First <= Last.
	First, Last int
	Err         error
}

// Error names file and line in front of the cause.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s:%d: %v", f.File, f.First, f.Err)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// At says where in the Dockerfile err happened. An err that knows its place already
// is returned as it is, nil stays nil.
func (p *Plan) At(err error, where []parser.Range) error {
	return locate(p.Name, err, where)
}

func locate(file string, err error, where []parser.Range) error {
	if err == nil {
		return nil
	}
	var known *Fault
	if errors.As(err, &known) {
		return err
	}
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 {
		if len(where) == 0 {
			where = located.Locations[0]
		}
		err = innermost(err, located)
	}
	if len(where) == 0 {
		return fmt.Errorf("%s: %w", file, err)
	}
	first, last := Lines(where)
	return &Fault{File: file, First: first, Last: last, Err: err}
}

// innermost drops the parser's own "on line N" in front of a located error, but
// keeps what was added by others, like a suggestion.
func innermost(err error, located *parser.LocationError) error {
	if strings.HasPrefix(err.Error(), "dockerfile parse error on line ") {
		err = located.Unwrap()
	}
	if err.Error() == "no build stage in current context" {
		return errors.New("an instruction in front of the first FROM: only ARG can stand there")
	}
	return err
}

// Lines is the first and last line of a place.
func Lines(where []parser.Range) (first, last int) {
	for _, r := range where {
		if first == 0 || r.Start.Line < first {
			first = r.Start.Line
		}
		last = max(last, r.Start.Line, r.End.Line)
	}
	return first, last
}

// near adds the name that was probably meant.
func near(err error, got string, known []string) error {
	return suggest.WrapError(err, got, known, true)
}
