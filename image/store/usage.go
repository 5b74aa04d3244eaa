package store

import (
	"strings"

	"github.com/opencontainers/go-digest"
)

// Usage is how much a store holds.
type Usage struct {
	Blobs      int   `json:"blobs"`
	BlobBytes  int64 `json:"blobBytes"`
	Layers     int   `json:"layers"`
	LayerBytes int64 `json:"layerBytes"`
	// Partial are bytes of fetches that go on or were broken off.
	PartialBytes int64 `json:"partialBytes"`
	Containers   int   `json:"containers"`
	Records      int   `json:"records"`
}

// Bytes is the sum.
func (u Usage) Bytes() int64 { return u.BlobBytes + u.LayerBytes + u.PartialBytes }

// Usage measures the store, by the sizes of blobs and the meta files of layers.
func (s *Store) Usage() (Usage, error) {
	var u Usage
	err := s.eachBlob(func(_ digest.Digest, size int64) {
		u.Blobs++
		u.BlobBytes += size
	}, nil)
	if err != nil {
		return u, err
	}
	chains, err := s.chains()
	if err != nil {
		return u, err
	}
	for _, chain := range chains {
		if meta, err := s.readMeta(chain); err == nil {
			u.Layers++
			u.LayerBytes += meta.Size
		}
	}
	names, err := s.ingest.names()
	if err != nil {
		return u, err
	}
	for _, name := range names {
		if st, err := s.ingest.stat(name); err == nil && !strings.HasSuffix(name, markSuffix) {
			u.PartialBytes += st.Size
		}
	}
	ids, err := s.containers.names()
	if err != nil {
		return u, err
	}
	u.Containers = len(ids)
	records, err := s.cache.names()
	u.Records = len(records)
	return u, err
}

// eachBlob calls do for all content by its name, and other, which may be nil, with
// the path of what has no name of content.
func (s *Store) eachBlob(do func(d digest.Digest, size int64), other func(path string)) error {
	for _, place := range []*dir{s.sha256, s.sha512} {
		names, err := place.names()
		if err != nil {
			return err
		}
		for _, name := range names {
			d, ok := s.blobNamed(place, name)
			if !ok {
				if other != nil {
					other(place.join(name))
				}
				continue
			}
			if st, err := place.stat(name); err == nil {
				do(d, st.Size)
			}
		}
	}
	return nil
}
