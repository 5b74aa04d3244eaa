package progress

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars shows one line per task, drawn in place.
type bars struct {
	p *mpb.Progress

	mu   sync.Mutex
	list map[*Task]*mpb.Bar
}

func newBars(w *os.File) *bars {
	return &bars{
		p:    mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(100*time.Millisecond)),
		list: map[*Task]*mpb.Bar{},
	}
}

func (b *bars) add(t *Task) {
	fill := func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, barLine(t.Label, t.State(), s.AvailableWidth))
		return err
	}
	// The count is the task's own. To mpb the total is unknown: it then ends when
	// it is told to, and only then.
	bar, err := b.p.Add(0, mpb.BarFillerFunc(fill), mpb.BarFillerTrim())
	if err != nil {
		return // the display was closed meanwhile
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list[t] = bar
}

func (b *bars) update(t *Task) {
	if !t.State().Ended {
		return // the next refresh shows it
	}
	b.mu.Lock()
	bar := b.list[t]
	delete(b.list, t)
	b.mu.Unlock()
	if bar != nil {
		bar.SetTotal(-1, true)
	}
}

func (b *bars) say(line string) {
	_, _ = b.p.Write([]byte(line + "\n")) // nowhere to report it to
}

func (b *bars) close() {
	b.mu.Lock()
	for _, bar := range b.list {
		bar.Abort(false)
	}
	b.mu.Unlock()
	b.p.Wait()
}

// barLine draws a task on a line of a width:
//
//	4f4fb700ef54  downloading  [=====>     ]  12.3 MB / 45.6 MB  3.4 MB/s  0:12
//	4f4fb700ef54  done         45.6 MB  in 13.1s
//
// What does not fit is left out from the right, the bar takes what is over.
func barLine(label string, s State, width int) string {
	width = max(width, 20)
	head := fit(label, min(max(12, len([]rune(label))), width/3)) + "  "
	if s.Ended {
		parts := []string{fit(s.Note, 11)}
		if s.Err != nil {
			parts = []string{"failed: " + printable(s.Err.Error())}
		} else if s.Total > 0 || s.Current > 0 {
			parts = append(parts, Bytes(max(s.Total, s.Current)))
		}
		if s.Err == nil && s.Took >= 100*time.Millisecond {
			parts = append(parts, "in "+took(s.Took))
		}
		return cut(head+strings.Join(parts, "  "), width)
	}
	head += fit(s.Phase, 11) + "  "
	tail := ""
	if s.Total > 0 {
		tail = Bytes(min(s.Current, s.Total)) + " / " + Bytes(s.Total)
	} else if s.Current > 0 {
		tail = Bytes(s.Current)
	}
	if s.Rate > 0 && (s.Total <= 0 || s.Current < s.Total) {
		tail += "  " + Bytes(int64(s.Rate)) + "/s"
		if s.Left > 0 {
			tail += "  " + clock(s.Left)
		}
	}
	room := width - len([]rune(head)) - tailWidth - 4
	if s.Total <= 0 || s.Current == 0 || room < 8 {
		return cut(head+tail, width)
	}
	room = min(room, 40)
	full := int(float64(room) * float64(min(s.Current, s.Total)) / float64(s.Total))
	bar := strings.Repeat("=", full)
	if full < room {
		bar += ">" + strings.Repeat(" ", room-full-1)
	}
	return cut(head+"["+bar+"]  "+tail, width)
}

// tailWidth is the room for sizes, rate and time, so that bars below each other are
// equally long.
const tailWidth = 38

// fit cuts or fills up a text to a width.
func fit(s string, width int) string {
	n := len([]rune(s))
	if n >= width {
		return cut(s, width)
	}
	return s + strings.Repeat(" ", width-n)
}

func cut(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width])
	}
	return s
}
