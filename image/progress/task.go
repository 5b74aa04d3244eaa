package progress

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// Task is one thing that gets on: a layer, say. Its methods may be called from
// several goroutines, and Add is cheap enough for every read.
type Task struct {
	// ID and Label are the names for programs and for people.
	ID, Label string

	d       *Display
	started time.Time
	current atomic.Int64
	total   atomic.Int64

	mu    sync.Mutex
	phase string
	note  string
	err   error
	ended time.Time // zero while it runs
	rate  meter
}

// State is a task at one moment.
type State struct {
	Phase          string
	Current, Total int64
	// Rate is bytes per second of late, 0 if nothing is known.
	Rate float64
	// Left is the time that the rest takes at this rate, 0 if nothing is known.
	Left time.Duration
	// Took is how long the task runs, or ran.
	Took  time.Duration
	Ended bool
	Note  string
	Err   error
}

// Phase says what the task does now: waiting, downloading, unpacking …
func (t *Task) Phase(name string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	changed := t.phase != name && t.ended.IsZero()
	if changed {
		t.phase = name
	}
	t.mu.Unlock()
	if changed {
		t.d.out.update(t)
	}
}

// Add counts n more bytes.
func (t *Task) Add(n int64) {
	if t != nil {
		t.current.Add(n)
	}
}

// Reset begins the count anew, with another total: for a phase that counts
// something else.
func (t *Task) Reset(current, total int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.Store(current)
	t.total.Store(total)
	t.rate = meter{}
}

// Done ends the task well. note is what is worth saying: "exists", "done", or
// empty for "done".
func (t *Task) Done(note string) {
	if t == nil {
		return
	}
	if note == "" {
		note = "done"
	}
	t.end(note, nil)
}

// Fail ends the task with an error. What came first counts: a task ends once.
func (t *Task) Fail(err error) {
	if t != nil {
		t.end("failed", err)
	}
}

func (t *Task) end(note string, err error) {
	t.mu.Lock()
	first := t.ended.IsZero()
	if first {
		t.ended = t.d.now()
		t.note, t.err = printable(note), err
	}
	t.mu.Unlock()
	if first {
		t.d.out.update(t)
	}
}

// State is the task now.
func (t *Task) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.d.now()
	s := State{
		Phase: t.phase, Note: t.note, Err: t.err,
		Current: t.current.Load(), Total: t.total.Load(),
		Ended: !t.ended.IsZero(), Took: now.Sub(t.started),
	}
	if s.Ended {
		s.Took = t.ended.Sub(t.started)
		return s
	}
	s.Rate = t.rate.at(now, s.Current)
	if rest := s.Total - s.Current; rest > 0 && s.Rate > 0 {
		s.Left = time.Duration(float64(rest) / s.Rate * float64(time.Second))
	}
	return s
}

// printable keeps a stranger's text on one line and from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}
