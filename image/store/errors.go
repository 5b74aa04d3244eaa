package store

import (
	"errors"
	"fmt"
	"os"

	"berth/image"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotFound says that the store has no such content, name or container.
	ErrNotFound = image.ErrNotFound
	// ErrExists says that the content, layer or container is there already.
	ErrExists = errors.New("exists already")
	// ErrBusy says that another process uses the store.
	ErrBusy = errors.New("another berth process uses the store")
	// ErrReadOnly says that the store was opened for reading.
	ErrReadOnly = errors.New("the store is open for reading only")
)

// NotFoundError is the answer to a name that the store does not know.
type NotFoundError struct {
	Name string
	// Near is a name in the store that was perhaps meant, empty when there is none.
	Near string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("image %s: not in the store", e.Name) }

// Unwrap makes it an ErrNotFound.
func (e *NotFoundError) Unwrap() error { return ErrNotFound }

// Hint says what could be tried instead.
func (e *NotFoundError) Hint() string {
	if e.Near == "" {
		return "'berth images' lists the images of the store, 'berth pull' fetches others"
	}
	return "did you mean " + e.Near + "?"
}

// AmbiguousError is the answer to the beginning of an id that several images have.
type AmbiguousError struct {
	Prefix string
	// IDs are the first two that begin so.
	IDs [2]string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("image %s: more than one begins so, %s and %s", e.Prefix, e.IDs[0], e.IDs[1])
}

// QuotaError refuses content for which there is no room.
type QuotaError struct {
	Need, Room int64 // bytes
	// Quota tells the store's own quota from a full file system.
	Quota bool
}

func (e *QuotaError) Error() string {
	what := "the file system has"
	if e.Quota {
		what = "the quota of the store leaves"
	}
	return fmt.Sprintf("%d bytes are needed, %s %d", e.Need, what, e.Room)
}

// Hint says how room can be made.
func (e *QuotaError) Hint() string {
	return "'berth prune' removes what nothing needs, with --all also images that no container uses"
}

// Unwrap gives errors.Is the errno that a write would have got.
func (e *QuotaError) Unwrap() error {
	if e.Quota {
		return unix.EDQUOT
	}
	return unix.ENOSPC
}

// DamagedError says that the store holds something other than it should.
type DamagedError struct {
	Path   string
	Reason string
}

func (e *DamagedError) Error() string { return e.Path + ": " + e.Reason }

// notExist tells "no such file", from whichever call.
func notExist(err error) bool { return errors.Is(err, os.ErrNotExist) }
