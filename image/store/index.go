package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"berth/image"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

const (
	indexName = "index.json"
	indexLock = "index.json.lock"
	// maxIndexFile bounds index.json: a hundred thousand names.
	maxIndexFile = 64 << 20
)

// readIndex returns the names of the store; an empty index when there is none yet.
func (s *Store) readIndex() (*ocispec.Index, error) {
	index := &ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	raw, err := s.root.read(indexName, maxIndexFile)
	if notExist(err) {
		return index, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, index); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.root.join(indexName), err)
	}
	for _, d := range index.Manifests {
		if err := image.CheckDescriptor(d); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.root.join(indexName), err)
		}
	}
	return index, nil
}

// changeIndex replaces the index by what change makes of it, under its lock.
// change returns false when there is nothing to do.
func (s *Store) changeIndex(change func(*ocispec.Index) (bool, error)) error {
	if err := s.writable(); err != nil {
		return err
	}
	// Held for milliseconds; nothing to be cancelled.
	lock, err := s.lockFile(context.Background(), indexLock, unix.LOCK_EX, nil)
	if err != nil {
		return err
	}
	defer lock.Close()
	index, err := s.readIndex()
	if err != nil {
		return err
	}
	changed, err := change(index)
	if err != nil || !changed {
		return err
	}
	if index.Manifests == nil {
		index.Manifests = []image.Descriptor{}
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("encode index: %w", err)
	}
	if len(raw) > maxIndexFile {
		return errors.New("index: too many names")
	}
	return s.root.replace(s.tmp, indexName, append(raw, '\n'), 0o644)
}
