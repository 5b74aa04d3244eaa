package build

import (
	"context"
	"fmt"
	"sync"
	"time"

	"berth/image/store"
)

// keepEvery is the longest that what a step has made waits before it becomes part of
// the store. A build that is killed loses that much of its cache.
const keepEvery = time.Second

// keeper makes what steps have made part of the store, many at once: to write it to
// the disk for good takes two syncs, however much it is.
type keeper struct {
	store *store.Store
	// root ends with the user's patience: then what waits is dropped.
	root context.Context

	mu      sync.Mutex
	waiting []store.Made
	timer   *time.Timer

	// writing is held by whoever writes, so that layers are kept after those below them.
	writing sync.Mutex
	err     error
}

// add takes over what a step has made. A layer comes after those below it.
func (k *keeper) add(m store.Made) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = append(k.waiting, m)
	if k.timer == nil {
		k.timer = time.AfterFunc(keepEvery, func() {
			_ = k.flush() // the next flush returns the error, too
		})
	}
}

// flush returns when all that was added is part of the store.
func (k *keeper) flush() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	list := k.take()
	if k.err == nil && context.Cause(k.root) == nil {
		if err := k.store.Keep(k.root, list); err != nil {
			k.err = fmt.Errorf("keep layers: %w", err)
		}
		return k.err
	}
	for _, m := range list {
		if m.Blob != nil {
			_ = m.Blob.Close() // gc removes what cannot be removed now
		}
	}
	if k.err == nil {
		return context.Cause(k.root)
	}
	return k.err
}

func (k *keeper) take() []store.Made {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.waiting
	k.waiting = nil
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	return list
}
