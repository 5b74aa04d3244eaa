package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	recordVersion = 1
	recordSuffix  = ".json"
	maxRecord     = 8 << 20
)

// Record is what the build cache knows of one step.
type Record struct {
	Version int `json:"version"`
	// Key is lower-case hexadecimal: the digest of all that the step depends on.
	Key string `json:"key"`
	// Blobs and Layers, chain ids, are what the record needs; gc keeps them.
	Blobs  []digest.Digest `json:"blobs,omitempty"`
	Layers []digest.Digest `json:"layers,omitempty"`
	// Data is the builder's own.
	Data json.RawMessage `json:"data,omitempty"`
	// Created is when the record was written.
	Created time.Time `json:"created"`
	// Used is when it was last of use, to the hour or so; the file's mtime.
	Used time.Time `json:"-"`
}

func recordName(key string) (string, error) {
	if len(key) < 16 || len(key) > 128 || strings.Trim(key, "0123456789abcdef") != "" {
		return "", fmt.Errorf("cache key %q: it is not lower-case hexadecimal", key)
	}
	return key + recordSuffix, nil
}

// PutRecord stores a record of the build cache; an older one of its key is
// replaced. The caller holds Use. It is not synced: a record that a crash of the
// machine has torn counts as none, and what it names is looked for.
func (s *Store) PutRecord(r Record) error {
	if err := s.writable(); err != nil {
		return err
	}
	name, err := recordName(r.Key)
	if err != nil {
		return err
	}
	r.Version = recordVersion
	if r.Created.IsZero() {
		r.Created = time.Now().UTC()
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode cache record: %w", err)
	}
	return s.cache.replaceUnsynced(s.tmp, name, raw, 0o600)
}

// Record returns the record of a key; ErrNotFound when there is none, or one that
// cannot be read. What it needs may be missing: the caller looks.
func (s *Store) Record(key string) (Record, error) {
	var r Record
	name, err := recordName(key)
	if err != nil {
		return r, err
	}
	f, size, err := s.cache.openRegular(name)
	if err != nil {
		return r, fmt.Errorf("cache record %s: %w", key, ErrNotFound)
	}
	defer f.Close()
	if size > maxRecord {
		return r, fmt.Errorf("cache record %s: %w", key, ErrNotFound)
	}
	st, err := f.Stat()
	if err == nil {
		err = json.NewDecoder(f).Decode(&r)
	}
	if err != nil || r.Version != recordVersion || r.Key != key {
		return Record{}, fmt.Errorf("cache record %s: %w", key, ErrNotFound)
	}
	r.Used = st.ModTime()
	return r, nil
}

// TouchRecord notes that a record was of use.
func (s *Store) TouchRecord(key string) error {
	name, err := recordName(key)
	if err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(s.cache.fd(), name, nil, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("touch %s: %w", s.cache.join(name), err)
	}
	return nil
}

// removeRecord removes a record; one that is not there is no error.
func (s *Store) removeRecord(key string) error {
	if err := s.writable(); err != nil {
		return err
	}
	name, err := recordName(key)
	if err != nil {
		return err
	}
	if err := s.cache.remove(name); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// Records returns all records of the build cache.
func (s *Store) Records() ([]Record, error) {
	names, err := s.cache.names()
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, name := range names {
		key, ok := strings.CutSuffix(name, recordSuffix)
		if !ok {
			continue
		}
		if r, err := s.Record(key); err == nil {
			all = append(all, r)
		}
	}
	return all, nil
}
