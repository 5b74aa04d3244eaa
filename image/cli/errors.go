package cli

import (
	"errors"
)

// hintOf is the line that follows an error: that of the first error in the chain
// that has one. Any package below image may give its errors a Hint method.
func hintOf(err error) string {
	var h interface{ Hint() string }
	for errors.As(err, &h) {
		if hint := h.Hint(); hint != "" {
			return hint
		}
		inner, ok := h.(error)
		if !ok {
			return ""
		}
		err = errors.Unwrap(inner)
	}
	return ""
}
