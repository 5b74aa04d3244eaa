package image

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Reference is the full name of an image: registry, repository, and a tag, a digest
// or both. It is made by ParseReference alone; the zero value names nothing.
type Reference struct {
	named reference.Named
}

// ParseReference reads a name as docker writes it and completes it: "busybox" is
// docker.io/library/busybox:latest. With a digest no tag is added.
func ParseReference(s string) (Reference, error) {
	if s == "" {
		return Reference{}, errors.New("image reference: it is empty")
	}
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Reference{}, fmt.Errorf("image reference %q: %w", s, plainReferenceError(s, err))
	}
	if d, ok := named.(reference.Digested); ok {
		if err := CheckDigest(d.Digest()); err != nil {
			return Reference{}, fmt.Errorf("image reference %q: %w", s, err)
		}
	}
	return Reference{named: reference.TagNameOnly(named)}, nil
}

// plainReferenceError says what is wrong with a name in the words of its author.
func plainReferenceError(s string, err error) error {
	name, _, _ := strings.Cut(s, "@")
	if name != strings.ToLower(name) && strings.Contains(err.Error(), "lowercase") {
		return errors.New("a repository is written in lower case")
	}
	if strings.Contains(s, "://") {
		return errors.New("it is written without a scheme, as in registry.example/repository:tag")
	}
	return err
}

// IsZero tells whether r names nothing.
func (r Reference) IsZero() bool { return r.named == nil }

// Registry is the host, with its port if it has one: "docker.io".
func (r Reference) Registry() string { return reference.Domain(r.named) }

// Repository is the path at the registry: "library/busybox".
func (r Reference) Repository() string { return reference.Path(r.named) }

// Name is registry and repository without tag and digest.
func (r Reference) Name() string { return r.named.Name() }

// Tag is the tag, empty when r has none.
func (r Reference) Tag() string {
	if t, ok := r.named.(reference.Tagged); ok {
		return t.Tag()
	}
	return ""
}

// Digest is the digest, empty when r has none.
func (r Reference) Digest() digest.Digest {
	if d, ok := r.named.(reference.Digested); ok {
		return d.Digest()
	}
	return ""
}

// Identifier is what a registry is asked for: the digest, else the tag.
func (r Reference) Identifier() string {
	if d := r.Digest(); d != "" {
		return d.String()
	}
	return r.Tag()
}

// String is the full name.
func (r Reference) String() string {
	if r.named == nil {
		return ""
	}
	return r.named.String()
}

// Familiar is the short name as docker shows it: "busybox:latest".
func (r Reference) Familiar() string {
	if r.named == nil {
		return ""
	}
	return reference.FamiliarString(r.named)
}

// FamiliarName is the short name without tag and digest: "busybox".
func (r Reference) FamiliarName() string { return reference.FamiliarName(r.named) }

// WithDigest is r's repository at a digest, without the tag.
func (r Reference) WithDigest(d digest.Digest) (Reference, error) {
	if err := CheckDigest(d); err != nil {
		return Reference{}, err
	}
	named, err := reference.WithDigest(reference.TrimNamed(r.named), d)
	if err != nil {
		return Reference{}, fmt.Errorf("image reference %s@%s: %w", r.Name(), d, err)
	}
	return Reference{named: named}, nil
}
