package build

import (
	"encoding/json"
	"fmt"
	"time"

	"berth/image"
	"berth/image/store"

	"github.com/opencontainers/go-digest"
)

// record is what the cache keeps of a step.
type record struct {
	key string
	// Step is the instruction, for people.
	Step    string            `json:"step"`
	DiffID  digest.Digest     `json:"diffID"`
	Chain   digest.Digest     `json:"chain"`
	Blob    *image.Descriptor `json:"blob,omitempty"`
	Created time.Time         `json:"created"`
}

// recall looks a step up. What it finds is complete: its directory or its blob is in
// the store.
func (b *builder) recall(parent *buildLayer, key string) *buildLayer {
	var origin *CacheSource
	r, ok := b.readRecord(key)
	if !ok {
		r, origin = b.recallImported(key)
		ok = r != nil
	}
	if !ok || (parent != nil && !parent.isSettled()) {
		return nil
	}
	below := digest.Digest("")
	if parent != nil {
		below = parent.chain
	}
	if chainOf(below, r.DiffID) != r.Chain {
		// The same step on other bytes below, as after --no-cache: what it made belongs
		// to those.
		return nil
	}
	if _, ok := b.o.Store.Layer(r.Chain); !ok && origin == nil && (r.Blob == nil || !b.o.Store.Has(r.Blob.Digest)) {
		return nil
	}
	l := b.known(parent, r.Chain, r.DiffID, r.Blob, r.Created)
	l.record, l.origin = r, origin
	if origin == nil {
		b.touched(key)
	}
	return l
}

func (b *builder) readRecord(key string) (*record, bool) {
	raw, err := b.o.Store.Record(key)
	if err != nil {
		return nil, false
	}
	r := &record{key: key}
	if json.Unmarshal(raw.Data, r) != nil || image.CheckDigest(r.Chain) != nil || image.CheckDigest(r.DiffID) != nil {
		return nil, false
	}
	if r.Blob != nil && image.CheckDescriptor(*r.Blob) != nil {
		return nil, false
	}
	return r, true
}

// touched notes that a record was of use. Only gc by age looks at it.
func (b *builder) touched(key string) {
	if err := b.o.Store.TouchRecord(key); err != nil {
		b.warn(fmt.Sprintf("build cache: %v", err))
	}
}

// remember tells the cache about a layer that is in the store.
func (b *builder) remember(l *buildLayer) error {
	rec, err := l.cacheRecord()
	if rec == nil || err != nil {
		return err
	}
	if err := b.o.Store.PutRecord(*rec); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	return nil
}

// cacheRecord is what the cache gets to know of a layer; nil: nothing.
func (l *buildLayer) cacheRecord() (*store.Record, error) {
	r := l.record
	if r == nil {
		return nil, nil
	}
	r.DiffID, r.Chain, r.Blob, r.Created = l.diffID, l.chain, l.blob, l.created
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("build cache: %w", err)
	}
	rec := &store.Record{Key: r.key, Layers: []digest.Digest{l.chain}, Data: data, Created: l.created}
	if l.blob != nil {
		rec.Blobs = []digest.Digest{l.blob.Digest}
	}
	return rec, nil
}

// recallSum is the checksum of files of a stage that an earlier build has read.
func (b *builder) recallSum(key string) (digest.Digest, bool) {
	for i := range b.imported {
		if d, ok := b.imported[i].doc.Sums[key]; ok && image.CheckDigest(d) == nil {
			return d, true
		}
	}
	r, err := b.o.Store.Record(key)
	if err != nil {
		return "", false
	}
	var d digest.Digest
	if json.Unmarshal(r.Data, &d) != nil || image.CheckDigest(d) != nil {
		return "", false
	}
	b.touched(key)
	return d, true
}

// rememberSum writes in the background: the next build is the first that reads it.
func (b *builder) rememberSum(key string, d digest.Digest) {
	b.background.Go(func() {
		data, err := json.Marshal(d)
		if err == nil {
			err = b.o.Store.PutRecord(store.Record{Key: key, Data: data})
		}
		if err != nil {
			b.warn(fmt.Sprintf("build cache: %v", err))
		}
	})
}
