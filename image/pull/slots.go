package pull

import (
	"context"
	"sync"
)

// slots are places of which a bounded number is taken; who waits with the largest
// size is next, so that the longest work does not come last.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter
}

type waiter struct {
	size  int64
	ready chan struct{}
}

func newSlots(n int) *slots { return &slots{free: n} }

// take waits for a place.
func (s *slots) take(ctx context.Context, size int64) error {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	w := &waiter{size, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	if !s.withdraw(w) {
		s.give() // it came just now
	}
	return context.Cause(ctx)
}

// withdraw takes back a wish; false when it was granted.
func (s *slots) withdraw(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// give hands a place on.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	best := 0
	for i, w := range s.waiting {
		if w.size > s.waiting[best].size {
			best = i
		}
	}
	close(s.waiting[best].ready)
	s.waiting = append(s.waiting[:best], s.waiting[best+1:]...)
}
