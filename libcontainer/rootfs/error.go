package rootfs

import (
	"strconv"

	"berth/libcontainer/wire"
)

// MountError is a mount of the config that could not be made. Engines look into
// its text for the errno's ("not a directory").
type MountError struct {
	Source, Destination string
	// Index is the position in mounts of config.json.
	Index int
	Err   error
}

func mountError(m *wire.Mount, err error) error {
	src := m.Source
	if src == "" {
		src = m.Type
	}
	return &MountError{Source: src, Destination: m.Destination, Index: m.Index, Err: err}
}

func (e *MountError) Error() string {
	return "error mounting " + strconv.Quote(e.Source) + " to rootfs at " + strconv.Quote(e.Destination) + ": " + e.Err.Error()
}

// Unwrap gives errors.Is and errors.As access to the cause.
func (e *MountError) Unwrap() error { return e.Err }
