package hooks

import (
	"errors"
	"strconv"

	"berth/internal/linux"
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
// for poststart and poststop, and returns the errors joined to one.
func RunEvery(kind string, hooks []wire.Hook, state string) error {
	var errs []error
	for i := range hooks {
		if err := Run(&hooks[i], state); err != nil {
			errs = append(errs, place(kind, i, err))
		}
	}
	return errors.Join(errs...)
}

func place(kind string, i int, err error) error {
	return linux.Wrap("running "+kind+" hook #"+strconv.Itoa(i), err)
}
