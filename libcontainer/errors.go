package libcontainer

import "errors"

// The sentences engines and scripts match; they are runc's. Those about ids are
// in package state.
var (
	// ErrNotRunning reports that the init process has ended, or that the container
	// is in no state to be paused. containerd and CRI-O match it to make stop
	// idempotent.
	ErrNotRunning = errors.New("container not running")
	// ErrNotPaused reports a resume of a container that is not paused.
	ErrNotPaused = errors.New("container not paused")
	// ErrNoStatus reports that a container has ended and nobody can tell how.
	ErrNoStatus = errors.New("exit status unknown")
)
