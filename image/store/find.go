package store

import (
	"errors"
	"fmt"
	"strings"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// shortestPrefix is how much of an id is enough to mean one.
const shortestPrefix = 4

// Find returns what a user means by a word: a name; a digest; or the beginning of
// the id of an image, which is the digest of its configuration, or of its manifest
// or index. Names go before ids. The Ref has a name if one led to it.
func (s *Store) Find(word string) (Ref, error) {
	name, nameErr := image.ParseReference(word)
	if nameErr == nil {
		d, err := s.Lookup(name)
		if err == nil {
			return Ref{Name: name.String(), Descriptor: d}, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return Ref{}, err
		}
		nameErr = err
	}
	ref, found, err := s.findID(word)
	if err != nil {
		return Ref{}, err
	}
	if !found {
		return Ref{}, nameErr
	}
	return ref, nil
}

// findID looks for an image whose id is, or begins with, word.
func (s *Store) findID(word string) (Ref, bool, error) {
	prefix := strings.TrimPrefix(word, "sha256:")
	if len(prefix) < shortestPrefix || strings.Trim(prefix, "0123456789abcdef") != "" {
		return Ref{}, false, nil
	}
	refs, err := s.Refs()
	if err != nil {
		return Ref{}, false, err
	}
	found := map[digest.Digest]Ref{}
	for _, r := range refs {
		if begins(r.Descriptor.Digest, prefix) {
			found[r.Descriptor.Digest] = r
			continue
		}
		for _, img := range s.Images(r.Descriptor) {
			if begins(img.Descriptor.Digest, prefix) || begins(img.Manifest.Config.Digest, prefix) {
				found[img.Descriptor.Digest] = Ref{Name: r.Name, Descriptor: img.Descriptor}
			}
		}
	}
	if len(found) > 1 {
		return Ref{}, false, ambiguous(word, found)
	}
	for _, r := range found {
		return r, true, nil
	}
	if d, _, err := s.manifestByDigest(digest.Digest("sha256:" + prefix)); err == nil {
		return Ref{Descriptor: d}, true, nil
	}
	return Ref{}, false, nil
}

func begins(d digest.Digest, prefix string) bool { return strings.HasPrefix(d.Encoded(), prefix) }

func ambiguous(word string, found map[digest.Digest]Ref) error {
	var ids []string
	for d := range found {
		ids = append(ids, d.Encoded()[:max(12, min(len(word)+4, 64))])
	}
	return &AmbiguousError{Prefix: word, IDs: [2]string{min(ids[0], ids[1]), max(ids[0], ids[1])}}
}

// manifestByDigest reads a manifest or index of which no descriptor is known, or none
// that can be relied on.
func (s *Store) manifestByDigest(want digest.Digest) (image.Descriptor, *image.Manifest, error) {
	size, err := s.Size(want)
	if err != nil {
		return image.Descriptor{}, nil, err
	}
	d := image.Descriptor{Digest: want, Size: size}
	m, _, err := s.ReadManifest(d)
	if err != nil {
		return image.Descriptor{}, nil, err
	}
	d.MediaType = m.MediaType
	return d, m, nil
}

// String is the name and the digest, for messages.
func (r Ref) String() string {
	if r.Name == "" {
		return r.Descriptor.Digest.String()
	}
	return fmt.Sprintf("%s@%s", r.Name, r.Descriptor.Digest)
}
