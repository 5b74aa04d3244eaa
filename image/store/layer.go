package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	layerTree = "fs"
	layerMeta = "meta.json"
	// metaVersion is the layout of meta.json.
	metaVersion = 1
	maxMeta     = 16 << 20
)

// LayerMeta is what is kept about an unpacked layer.
type LayerMeta struct {
	Version int `json:"version"`
	// Chain is the chain id: the layer together with those below it.
	Chain digest.Digest `json:"chain"`
	// DiffID is the digest of the layer's tar, empty when it was not told.
	DiffID digest.Digest `json:"diffID,omitempty"`
	// Size is the sum of the sizes of the files in it, in bytes.
	Size int64 `json:"size"`
	// Entries is how many files, directories and others it has.
	Entries int64 `json:"entries"`
	// Format tells how whiteouts and opaque directories are written, in the words
	// of whoever made the layer.
	Format string `json:"format,omitempty"`
	// Implied lists directories of which the layer did not say owner and mode.
	Implied []string `json:"implied,omitempty"`
	// Created is when it was unpacked.
	Created time.Time `json:"created"`
	// Boot is the boot in which it was unpacked; empty once it is synced to the disk.
	Boot string `json:"boot,omitempty"`
}

// Layer returns the directory of an unpacked layer, in overlayfs format; false
// when it is not in the store or did not survive a crash of the machine. The
// caller holds Use, or a container names the layer.
func (s *Store) Layer(chain digest.Digest) (path string, ok bool) {
	if _, ok := s.LayerMeta(chain); !ok {
		return "", false
	}
	return s.layers.join(chain.Encoded()) + "/" + layerTree, true
}

// LayerMeta returns what is known of an unpacked layer; false as in Layer.
func (s *Store) LayerMeta(chain digest.Digest) (LayerMeta, bool) {
	meta, err := s.readMeta(chain)
	if err != nil || !s.counts(meta) {
		return LayerMeta{}, false
	}
	if meta.Boot != "" {
		// Whoever relies on it gives an image a name soon: it is to be synced then,
		// even if its maker does not live to do it.
		s.mu.Lock()
		s.unsynced[chain] = true
		s.mu.Unlock()
	}
	return meta, true
}

// counts tells whether a layer is whole: it was synced, or the machine has run
// since it was made.
func (s *Store) counts(meta LayerMeta) bool { return meta.Boot == "" || meta.Boot == s.boot }

func (s *Store) readMeta(chain digest.Digest) (LayerMeta, error) {
	if err := image.CheckDigest(chain); err != nil {
		return LayerMeta{}, err
	}
	place, err := s.layers.sub(chain.Encoded())
	if notExist(err) {
		return LayerMeta{}, fmt.Errorf("layer %s: %w", chain, ErrNotFound)
	}
	if err != nil {
		return LayerMeta{}, err
	}
	defer place.f.Close()
	return readMetaIn(place, chain)
}

// errTorn is a meta file without its data: the machine crashed before it was synced.
var errTorn = errors.New("it was not written whole")

func readMetaIn(place *dir, chain digest.Digest) (LayerMeta, error) {
	var meta LayerMeta
	raw, err := place.read(layerMeta, maxMeta)
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return meta, fmt.Errorf("%s: %w: %w", place.join(layerMeta), errTorn, err)
	}
	if meta.Version != metaVersion || meta.Chain != chain {
		return meta, &DamagedError{place.join(layerMeta), "it belongs to another layer, or another version of berth"}
	}
	if st, err := place.stat(layerTree); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return meta, &DamagedError{place.join(layerTree), "it is not a directory"}
	}
	return meta, nil
}

// removeLayer removes an unpacked layer at once, whoever needs it.
func (s *Store) removeLayer(chain digest.Digest) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := image.CheckDigest(chain); err != nil {
		return err
	}
	return s.discard(s.layers, chain.Encoded())
}

// discard takes a directory out of sight in one step before it is emptied: what is
// half removed has no name but one in tmp.
func (s *Store) discard(place *dir, name string) error {
	trash := "trash-" + rand.Text()
	if err := place.rename(name, s.tmp, trash); err != nil {
		return err
	}
	return s.tmp.removeAll(trash)
}

// Sync makes all layers that this handle has made or found survive a crash of the
// machine: one syncfs(2) for all of them, then their meta files. Tag calls it.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unsynced) == 0 {
		return nil
	}
	if err := unix.Syncfs(s.layers.fd()); err != nil {
		return fmt.Errorf("syncfs %s: %w", s.layers.path, err)
	}
	for chain := range s.unsynced {
		if err := s.markSynced(chain); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		delete(s.unsynced, chain)
	}
	return nil
}

func (s *Store) markSynced(chain digest.Digest) error {
	place, err := s.layers.sub(chain.Encoded())
	if notExist(err) {
		return ErrNotFound // it was removed since
	}
	if err != nil {
		return err
	}
	defer place.f.Close()
	meta, err := readMetaIn(place, chain)
	if err != nil || meta.Boot == "" {
		return err
	}
	meta.Boot = ""
	raw, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("encode %s: %w", place.join(layerMeta), err)
	}
	return place.replace(s.tmp, layerMeta, raw, 0o444)
}
