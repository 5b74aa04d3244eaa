package state

import "errors"

// The sentences engines look for (docs/engines.md): dockerd matches "container
// does not exist", containerd "does not exist".
var (
	// ErrNotExist reports that no container has the id.
	ErrNotExist = errors.New("container does not exist")
	// ErrExist reports that the id is taken, be it by a directory that a killed
	// create left behind.
	ErrExist = errors.New("container with given ID already exists")
	// ErrInvalidID reports an id that cannot name a directory.
	ErrInvalidID = errors.New("invalid container ID")
	// ErrBusy reports that another berth kept the lock for too long.
	ErrBusy = errors.New("container is locked by another berth process")
)

// IncompleteError reports a directory without a state that can be read: a create
// that was killed, or is just at work. It is an ErrNotExist, except to delete
// --force and create.
type IncompleteError struct {
	ID string
	// Err is what is wrong with the state file.
	Err error
}

func (e *IncompleteError) Error() string {
	return "state of " + e.ID + ": " + e.Err.Error() + ": " + ErrNotExist.Error()
}

// Unwrap gives errors.Is both the cause and ErrNotExist.
func (e *IncompleteError) Unwrap() []error { return []error{ErrNotExist, e.Err} }
