package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"berth/image"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// LayerWriter is a layer in the making: a directory in tmp, whose descriptor is
// locked as long as somebody works on it.
type LayerWriter struct {
	// Meta is kept with the layer; Commit sets version, chain, time and boot.
	Meta LayerMeta

	s    *Store
	name string // in tmp
	d    *dir
	done bool
	// synced: what is in the layer is on the disk already.
	synced bool
}

// NewLayer begins an unpacked layer. ErrExists when the store has it. Another
// process that makes the same layer is waited for. The caller holds Use.
func (s *Store) NewLayer(ctx context.Context, chain digest.Digest) (*LayerWriter, error) {
	w, err := s.claimLayer(ctx, chain)
	if err != nil {
		return nil, err
	}
	if err := w.makeTree(); err != nil {
		return nil, errors.Join(fmt.Errorf("unpack layer %s: %w", chain, err), w.Abort())
	}
	return w, nil
}

// claimLayer is NewLayer without the directory to fill.
func (s *Store) claimLayer(ctx context.Context, chain digest.Digest) (*LayerWriter, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if err := image.CheckDigest(chain); err != nil {
		return nil, err
	}
	name := "layer-" + chain.Encoded()
	for {
		if _, ok := s.LayerMeta(chain); ok {
			return nil, fmt.Errorf("layer %s: %w", chain, ErrExists)
		}
		d, err := s.tmp.make(name)
		if notExist(err) {
			continue // committed between mkdir and open
		}
		if err != nil {
			return nil, err
		}
		w := &LayerWriter{s: s, name: name, d: d, Meta: LayerMeta{Chain: chain}}
		err = s.lockMade(ctx, s.tmp, name, d.f, "unpack "+chain.String())
		if err == nil {
			err = w.clear()
		}
		if err == nil {
			return w, nil
		}
		err = errors.Join(err, d.close())
		if !errors.Is(err, errMoved) {
			return nil, fmt.Errorf("unpack layer %s: %w", chain, err)
		}
	}
}

// clear removes what a killed process left behind.
func (w *LayerWriter) clear() error {
	if err := w.d.empty(); err != nil {
		return err
	}
	return nil
}

func (w *LayerWriter) makeTree() error {
	// 0755 is what a layer without an entry for its root means.
	if err := unix.Mkdirat(w.d.fd(), layerTree, 0o755); err != nil {
		return &os.PathError{Op: "mkdir", Path: w.Dir(), Err: err}
	}
	tree, err := w.d.sub(layerTree)
	if err != nil {
		return err
	}
	return errors.Join(tree.f.Chmod(0o755), tree.close()) // whatever the umask is
}

// Dir is the directory to fill.
func (w *LayerWriter) Dir() string { return w.d.join(layerTree) }

// Open opens the directory to fill. The caller closes it.
func (w *LayerWriter) Open() (*os.File, error) {
	d, err := w.d.sub(layerTree)
	if err != nil {
		return nil, err
	}
	return d.f, nil
}

// Commit makes the layer part of the store. It is synced to the disk by the next
// Tag or Sync; until then a crash of the machine, not of the process, loses it.
func (w *LayerWriter) Commit() error {
	if w.done {
		return os.ErrClosed
	}
	chain := w.Meta.Chain
	if err := w.s.underQuota(w.Meta.Size); err != nil {
		return fmt.Errorf("commit layer %s: %w", chain, err)
	}
	w.Meta.Version, w.Meta.Created, w.Meta.Boot = metaVersion, time.Now().UTC(), w.s.boot
	if w.synced {
		w.Meta.Boot = ""
	} else if w.s.boot == "" {
		// Nothing can tell this boot from the next: sync first.
		if err := unix.Syncfs(w.d.fd()); err != nil {
			return fmt.Errorf("syncfs %s: %w", w.d.path, err)
		}
	}
	raw, err := json.Marshal(w.Meta)
	if err != nil {
		return fmt.Errorf("encode %s: %w", w.d.join(layerMeta), err)
	}
	if err := w.writeMeta(raw); err != nil {
		return err
	}
	// What is in the way did not survive a crash, else NewLayer would have found it.
	if w.s.layers.exists(chain.Encoded()) {
		if err := w.s.discard(w.s.layers, chain.Encoded()); err != nil && !notExist(err) {
			return fmt.Errorf("commit layer %s: %w", chain, err)
		}
	}
	if err := w.s.tmp.renameNew(w.name, w.s.layers, chain.Encoded()); err != nil {
		return fmt.Errorf("commit layer %s: %w", chain, err)
	}
	w.done = true
	w.s.mu.Lock()
	if w.Meta.Boot != "" {
		w.s.unsynced[chain] = true
	}
	w.s.mu.Unlock()
	return w.d.close()
}

// writeMeta writes the meta file without an fsync: Sync replaces it by one with.
func (w *LayerWriter) writeMeta(raw []byte) error {
	f, err := w.d.open(layerMeta, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil && w.s.boot == "" && !w.synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Abort removes what was made. It may be called after Commit, and does nothing then.
func (w *LayerWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	return errors.Join(w.s.tmp.removeAll(w.name), w.d.close())
}
