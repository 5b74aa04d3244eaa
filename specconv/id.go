package specconv

import (
	"errors"
	"fmt"
)

// maxID is NAME_MAX: the id becomes a directory name, in the state root and in
// every cgroup hierarchy.
const maxID = 255

// ValidateID refuses a container id that cannot safely become a file name.
func ValidateID(id string) error {
	switch {
	case id == "":
		return errors.New("container id is empty")
	case id == "." || id == "..":
		return fmt.Errorf("container id %q is not allowed: it names a directory", id)
	case len(id) > maxID:
		return fmt.Errorf("container id is %d bytes long, at most %d are allowed", len(id), maxID)
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return fmt.Errorf("container id %q is not allowed: only letters, digits and _ + - . may stand in it", id)
		}
	}
	return nil
}

func idByte(c byte) bool {
	switch c {
	case '_', '+', '-', '.':
		return true
	}
	return letter(c) || '0' <= c && c <= '9'
}
