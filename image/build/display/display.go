package display

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Mode is how progress is shown.
type Mode int

const (
	// Plain writes lines.
	Plain Mode = iota
	// Terminal redraws a list.
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
	w     io.Writer
	mode  Mode
	start time.Time
	count int
}

// New shows progress on w.
func New(w io.Writer, mode Mode) *Display {
	return &Display{w: w, mode: mode, start: time.Now()}
}

// Step is one step of a build. A nil one is silent.
type Step struct {
	d      *Display
	number int
	name   string
	start  time.Time
	line   []byte
}

// Step starts a step.
func (d *Display) Step(name string) *Step {
	if d == nil || d.mode == Quiet {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	s := &Step{d: d, number: d.count, name: name, start: time.Now()}
	d.printf("#%d %s\n", s.number, name)
	return s
}

func (d *Display) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.w, format, args...) // progress is not worth failing for
}

// Write takes output of the step's command.
func (s *Step) Write(p []byte) (int, error) {
	if s == nil {
		return len(p), nil
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.line = append(s.line, p...)
	for {
		i := indexNewline(s.line)
		if i < 0 {
			return len(p), nil
		}
		s.d.printf("#%d %.3f %s\n", s.number, time.Since(s.start).Seconds(), s.line[:i])
		s.line = s.line[i+1:]
	}
}

func indexNewline(b []byte) int {
	for i, c := range b {
		if c == '\n' {
			return i
		}
	}
	return -1
}

// Done ends a step.
func (s *Step) Done() { s.end(fmt.Sprintf("DONE %.1fs", s.seconds())) }

// Cached ends a step that was found in the cache.
func (s *Step) Cached() { s.end("CACHED") }

// Fail ends a step with an error.
func (s *Step) Fail(err error) {
	if err != nil {
		s.end("ERROR: " + err.Error())
	}
}

func (s *Step) seconds() float64 {
	if s == nil {
		return 0
	}
	return time.Since(s.start).Seconds()
}

func (s *Step) end(how string) {
	if s == nil {
		return
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if len(s.line) > 0 {
		s.d.printf("#%d %.3f %s\n", s.number, time.Since(s.start).Seconds(), s.line)
	}
	s.d.printf("#%d %s\n\n", s.number, how)
}

// Warn shows a warning.
func (d *Display) Warn(text string) {
	if d == nil || d.mode == Quiet {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.printf("WARN: %s\n", text)
}

// Close ends the display.
func (d *Display) Close() {}
