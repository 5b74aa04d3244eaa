package display

import (
	"encoding/json"
	"io"
	"time"
)

// Event is one line of the JSON mode.
type Event struct {
	// Time is when, in UTC.
	Time time.Time `json:"time"`
	// Step counts from 1 on; 0 for warnings.
	Step int    `json:"step,omitempty"`
	Name string `json:"name,omitempty"`
	// Event is start, output, done, cached, error or warning.
	Event string `json:"event"`
	// Text is a line of output, an error or a warning.
	Text string `json:"text,omitempty"`
	// Seconds since the step began.
	Seconds float64 `json:"seconds,omitempty"`
}

type jsonLines struct{ w io.Writer }

func (j *jsonLines) emit(e Event) {
	e.Time = time.Now().UTC()
	raw, err := json.Marshal(e)
	if err == nil {
		_, _ = j.w.Write(append(raw, '\n')) // progress is not worth failing for
	}
}

func (j *jsonLines) begin(s *Step) { j.emit(Event{Step: s.number, Name: s.name, Event: "start"}) }

func (j *jsonLines) line(s *Step, text []byte) {
	j.emit(Event{Step: s.number, Event: "output", Text: string(text), Seconds: s.seconds()})
}

func (j *jsonLines) end(s *Step, how outcome, err error) {
	e := Event{Step: s.number, Name: s.name, Seconds: s.seconds()}
	switch how {
	case cached:
		e.Event = "cached"
	case failed:
		e.Event, e.Text = "error", err.Error()
	default:
		e.Event = "done"
	}
	j.emit(e)
}

func (j *jsonLines) warn(text string) { j.emit(Event{Event: "warning", Text: text}) }

func (j *jsonLines) tick(bool) {}
