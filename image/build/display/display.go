package display

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Mode is how progress is shown.
type Mode int

const (
	// Plain writes lines.
	Plain Mode = iota
	// Terminal redraws what runs, below what is done.
	Terminal
	// JSON writes one object for each event.
	JSON
	// Quiet writes nothing.
	Quiet
)

// Display shows the steps of a build. A nil one is silent. Its methods may be called
// from several goroutines.
type Display struct {
	mu    sync.Mutex
	out   view
	start time.Time
	count int
	stop  chan struct{}
	over  sync.WaitGroup
}

// view is one way to show events. It is called by one goroutine at a time.
type view interface {
	begin(s *Step)
	line(s *Step, text []byte)
	end(s *Step, how outcome, err error)
	warn(text string)
	// tick is called ten times a second, and with last in the end.
	tick(last bool)
}

// outcome is how a step ended.
type outcome int

const (
	done outcome = iota
	cached
	failed
)

// New shows progress on w.
func New(w io.Writer, mode Mode) *Display {
	d := &Display{start: time.Now(), stop: make(chan struct{})}
	switch mode {
	case Terminal:
		d.out = newTerminal(w, d.start)
		d.over.Go(d.ticks)
	case JSON:
		d.out = &jsonLines{w: w}
	case Quiet:
		return nil
	default:
		d.out = &plain{w: w}
	}
	return d
}

func (d *Display) ticks() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-t.C:
			d.mu.Lock()
			d.out.tick(false)
			d.mu.Unlock()
		}
	}
}

// Close shows the last state. Steps must not be used any more.
func (d *Display) Close() {
	if d == nil {
		return
	}
	close(d.stop)
	d.over.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.tick(true)
}

// Warn shows a warning.
func (d *Display) Warn(text string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.warn(text)
}

// Step is one step of a build. A nil one is silent.
type Step struct {
	d      *Display
	number int
	name   string
	start  time.Time
	rest   []byte // of a line that has not ended
	ended  bool
}

// Step starts a step.
func (d *Display) Step(name string) *Step {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	s := &Step{d: d, number: d.count, name: name, start: time.Now()}
	d.out.begin(s)
	return s
}

// longestLine bounds what is kept of a line that does not end, in bytes.
const longestLine = 64 << 10

// Write takes output of the step's command. It never fails.
func (s *Step) Write(p []byte) (int, error) {
	if s == nil {
		return len(p), nil
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.rest = append(s.rest, p...)
	for {
		i := bytes.IndexByte(s.rest, '\n')
		if i < 0 && len(s.rest) < longestLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(s.rest) - 1
		}
		s.d.out.line(s, bytes.TrimRight(s.rest[:i], "\r"))
		s.rest = append(s.rest[:0], s.rest[i+1:]...)
	}
}

// Done ends a step.
func (s *Step) Done() { s.end(done, nil) }

// Cached ends a step that was found in the cache.
func (s *Step) Cached() { s.end(cached, nil) }

// Fail ends a step with an error.
func (s *Step) Fail(err error) { s.end(failed, err) }

func (s *Step) end(how outcome, err error) {
	if s == nil {
		return
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	if len(s.rest) > 0 {
		s.d.out.line(s, s.rest)
		s.rest = nil
	}
	s.d.out.end(s, how, err)
}

// seconds since the step began.
func (s *Step) seconds() float64 { return time.Since(s.start).Seconds() }
