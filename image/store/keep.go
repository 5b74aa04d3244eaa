package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Made is what a step of a build has made. Nothing of it is in the store yet.
type Made struct {
	// Layer tells what Dir is: a directory in overlayfs format, the upper directory of
	// the step, say, on the store's file system. Chain is set.
	Layer LayerMeta
	Dir   string
	// Blob is the layer packed, completely written; nil: it is not packed.
	Blob *BlobWriter
	// Record is what the build cache gets to know; nil: nothing.
	Record *Record
}

// Keep makes what steps have made part of the store, in this order: directories are
// moved there. A layer that the store has already stays where it is. Two syncs of the
// file system, one for the data and one for the names, make all of it survive a crash
// of the machine; so it is better called once for many. The caller holds Use.
//
// What Keep was given and did not come to is dropped: the blobs are closed.
func (s *Store) Keep(ctx context.Context, list []Made) error {
	if len(list) == 0 {
		return nil
	}
	err := s.writable()
	if err == nil {
		// Data before names: a name means whole content.
		err = s.syncfs()
	}
	for _, m := range list {
		if err == nil {
			err = s.keep(ctx, m)
		}
		if m.Blob != nil {
			err = errors.Join(err, m.Blob.Close())
		}
	}
	if err == nil {
		err = s.syncfs()
	}
	return err
}

func (s *Store) syncfs() error {
	if err := unix.Syncfs(s.tmp.fd()); err != nil {
		return fmt.Errorf("syncfs %s: %w", s.root.path, err)
	}
	return nil
}

func (s *Store) keep(ctx context.Context, m Made) error {
	if m.Blob != nil {
		if err := m.Blob.commitSynced(); err != nil {
			return err
		}
	}
	if err := s.adopt(ctx, m); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	if m.Record == nil {
		return nil
	}
	return s.PutRecord(*m.Record)
}

// adopt moves the directory of a layer into the store.
func (s *Store) adopt(ctx context.Context, m Made) error {
	w, err := s.claimLayer(ctx, m.Layer.Chain)
	if err != nil {
		return err
	}
	w.Meta, w.synced = m.Layer, true
	if err := w.adopt(m.Dir); err != nil {
		return errors.Join(fmt.Errorf("adopt layer %s: %w", m.Layer.Chain, err), w.Abort())
	}
	if err := w.Commit(); err != nil {
		return errors.Join(err, w.Abort())
	}
	return nil
}

func (w *LayerWriter) adopt(path string) error {
	// A link of that name would be moved, not followed, and then not be a directory.
	if err := unix.Renameat2(unix.AT_FDCWD, path, w.d.fd(), layerTree, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: path, New: w.Dir(), Err: err}
	}
	st, err := w.d.stat(layerTree)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = &DamagedError{path, "it is not a directory"}
	}
	return err
}
