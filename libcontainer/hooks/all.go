package hooks

import (
	"strconv"

	"berth/libcontainer/wire"
)

// RunAll runs hooks of one kind ("createRuntime") in order and stops at the first
// that does not succeed. state is the OCI state as JSON.
func RunAll(kind string, hooks []wire.Hook, state string) error {
	for i := range hooks {
		if err := Run(&hooks[i], state); err != nil {
			return place(kind, i, err)
		}
	}
	return nil
}

// RunEvery runs all hooks of one kind, whether or not one fails, as the spec asks
// for poststop, and returns the errors joined to one.
func RunEvery(kind string, hooks []wire.Hook, state string) error {
	var errs joined
	for i := range hooks {
		if err := Run(&hooks[i], state); err != nil {
			errs = append(errs, place(kind, i, err))
		}
	}
	if errs == nil {
		return nil
	}
	return errs
}

func place(kind string, i int, err error) error {
	return &placed{kind: kind, index: i, err: err}
}

// placed is an error of Run and which hook of which kind it was.
type placed struct {
	kind  string
	index int
	err   error
}

func (e *placed) Error() string {
	return "running " + e.kind + " hook #" + strconv.Itoa(e.index) + " " + e.err.Error()
}

func (e *placed) Unwrap() error { return e.err }

// joined is errors.Join on one line, as logs want it.
type joined []error

func (e joined) Error() string {
	text := ""
	for i, err := range e {
		if i > 0 {
			text += "; "
		}
		text += err.Error()
	}
	return text
}

func (e joined) Unwrap() []error { return e }
