package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// lines writes a line when something changes, and from time to time for what takes
// long.
type lines struct {
	w    io.Writer
	d    *Display
	line lineFunc
	stop chan struct{}
	done chan struct{}

	mu sync.Mutex // around w
}

// lineFunc formats a task, or a line of text without one. ticked tells that nothing
// but time has passed; an empty answer shows nothing.
type lineFunc func(t *Task, s State, text string, ticked bool) string

// tick is how often long tasks are shown; plain ones are shown every tenth time.
const tick = time.Second

func newLines(w io.Writer, d *Display, line lineFunc) *lines {
	l := &lines{w: w, d: d, line: line, stop: make(chan struct{}), done: make(chan struct{})}
	go l.watch()
	return l
}

func (l *lines) add(t *Task) { l.show(t, false) }

func (l *lines) update(t *Task) { l.show(t, false) }

func (l *lines) say(text string) { l.write(l.line(nil, State{}, text, false)) }

func (l *lines) show(t *Task, ticked bool) { l.write(l.line(t, t.State(), "", ticked)) }

func (l *lines) write(line string) {
	if line == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, line) // nowhere to report it to
}

func (l *lines) watch() {
	defer close(l.done)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
			for _, t := range l.d.running() {
				l.show(t, true)
			}
		}
	}
}

func (l *lines) close() {
	close(l.stop)
	<-l.done
}

// plainLine is a line for a log:
//
//	4f4fb700ef54: downloading 45.6 MB
//	4f4fb700ef54: downloading 12.3 MB of 45.6 MB, 3.4 MB/s
//	4f4fb700ef54: done, 45.6 MB in 13.1s
func plainLine(t *Task, s State, text string, ticked bool) string {
	switch {
	case t == nil:
		return text + "\n"
	case s.Err != nil:
		return fmt.Sprintf("%s: failed: %s\n", t.Label, printable(s.Err.Error()))
	case s.Ended && max(s.Total, s.Current) > 0:
		return fmt.Sprintf("%s: %s, %s in %s\n", t.Label, s.Note, Bytes(max(s.Total, s.Current)), took(s.Took))
	case s.Ended:
		return fmt.Sprintf("%s: %s\n", t.Label, s.Note)
	case ticked && int64(s.Took/tick)%10 != 0, s.Phase == "waiting":
		return ""
	case ticked && s.Total > 0:
		return fmt.Sprintf("%s: %s %s of %s, %s/s\n", t.Label, s.Phase, Bytes(s.Current), Bytes(s.Total), Bytes(int64(s.Rate)))
	case ticked:
		return fmt.Sprintf("%s: %s %s\n", t.Label, s.Phase, Bytes(s.Current))
	case s.Total > 0:
		return fmt.Sprintf("%s: %s %s\n", t.Label, s.Phase, Bytes(s.Total))
	}
	return fmt.Sprintf("%s: %s\n", t.Label, s.Phase)
}

// Event is one line of the JSON mode: the state of a task, or a message.
type Event struct {
	// Time is when, in RFC 3339 with milliseconds, UTC.
	Time string `json:"time"`
	// ID and Label name the task; they are empty with Message.
	ID    string `json:"id,omitempty"`
	Label string `json:"label,omitempty"`
	// Phase is what the task does: waiting, downloading, unpacking …; with Ended
	// how it ended: done, exists, failed …
	Phase   string `json:"phase,omitempty"`
	Current int64  `json:"current,omitempty"`
	Total   int64  `json:"total,omitempty"`
	Ended   bool   `json:"ended,omitempty"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
}

func jsonLine(t *Task, s State, text string, _ bool) string {
	e := Event{Time: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), Message: text}
	if t != nil {
		e.ID, e.Label = t.ID, t.Label
		e.Phase, e.Current, e.Total, e.Ended = s.Phase, s.Current, s.Total, s.Ended
		if s.Ended {
			e.Phase = s.Note
		}
		if s.Err != nil {
			e.Error = s.Err.Error()
		}
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return "" // strings and numbers always encode
	}
	return string(raw) + "\n"
}
