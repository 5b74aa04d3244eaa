package store

import (
	"slices"

	"berth/image"

	"github.com/opencontainers/go-digest"
)

// blobNamed turns a file name in blobs/ALGORITHM into a digest.
func (s *Store) blobNamed(place *dir, name string) (digest.Digest, bool) {
	alg := digest.SHA256
	if place == s.sha512 {
		alg = digest.SHA512
	}
	d := digest.NewDigestFromEncoded(alg, name)
	return d, image.CheckDigest(d) == nil
}

// chainNamed turns a name in layers into a chain id.
func chainNamed(name string) (digest.Digest, bool) {
	alg := digest.SHA256
	if len(name) == digest.SHA512.Size()*2 {
		alg = digest.SHA512
	}
	d := digest.NewDigestFromEncoded(alg, name)
	return d, image.CheckDigest(d) == nil
}

// chains lists the directories of layers, whole or not, in order.
func (s *Store) chains() ([]digest.Digest, error) {
	names, err := s.layers.names()
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var chains []digest.Digest
	for _, name := range names {
		if d, ok := chainNamed(name); ok {
			chains = append(chains, d)
		}
	}
	return chains, nil
}

// Layers returns the chain ids of all unpacked layers.
func (s *Store) Layers() ([]digest.Digest, error) {
	all, err := s.chains()
	return slices.DeleteFunc(all, func(chain digest.Digest) bool {
		_, ok := s.LayerMeta(chain)
		return !ok
	}), err
}
