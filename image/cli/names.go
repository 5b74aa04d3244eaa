package cli

import (
	"errors"
	"fmt"
	"strings"

	"berth/image"
)

// newName parses a name that an image is to get. One with a digest says what the
// image is, which a name cannot decide.
func newName(word string) (image.Reference, error) {
	name, err := image.ParseReference(word)
	if err != nil {
		return name, err
	}
	if name.Digest() != "" {
		return image.Reference{}, fmt.Errorf("name %s: a name for an image has no digest", word)
	}
	return name, nil
}

// several does something for each word; one that goes wrong does not keep the others
// from being done.
func several(words []string, do func(string) error) error {
	var all []error
	for _, word := range words {
		if err := do(word); err != nil {
			all = append(all, err)
		}
	}
	if len(all) < 2 {
		return errors.Join(all...)
	}
	return &manyErrors{all}
}

// manyErrors are errors on one line.
type manyErrors struct{ all []error }

func (m *manyErrors) Error() string {
	var texts []string
	for _, err := range m.all {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (m *manyErrors) Unwrap() []error { return m.all }
