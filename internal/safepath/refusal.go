package safepath

import (
	"errors"
	"syscall"
)

// Refusal says that an object was not what it has to be, in a way that only an
// attack or a badly broken file system explains.
type Refusal struct { //nolint:errname // it says what was done, like wire.Failure
	Object string // a path, as the caller gave it
	Reason string
	Err    error // may be nil
}

func (r *Refusal) Error() string {
	s := "refusing " + r.Object + ": " + r.Reason
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap gives errors.Is access to the errno.
func (r *Refusal) Unwrap() error { return r.Err }

// refuseEscape turns the errors by which openat2(2) reports a forbidden step
// into a Refusal.
func refuseEscape(path string, err error) error {
	switch {
	case errors.Is(err, syscall.EXDEV):
		return &Refusal{Object: path, Reason: "it leads out of the file system it has to be on", Err: err}
	case errors.Is(err, syscall.ELOOP):
		return &Refusal{Object: path, Reason: "it leads through a link", Err: err}
	}
	return err
}
