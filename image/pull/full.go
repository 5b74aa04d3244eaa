package pull

import (
	"errors"

	"berth/image/store"

	"golang.org/x/sys/unix"
)

// fullError is that of a disk that ran full in the middle of a write.
type fullError struct{ error }

func (e fullError) Unwrap() error { return e.error }

// Hint is that of a store which sees before it writes that there is no room.
func (fullError) Hint() string { return (&store.QuotaError{}).Hint() }

// advised adds what can be done about an error, where it is known.
func advised(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fullError{err}
	}
	return err
}
