package progress

import (
	"os"
	"sync"
	"time"
)

// Display is one place where progress is shown.
type Display struct {
	out renderer
	now func() time.Time

	mu    sync.Mutex
	tasks []*Task
	ended bool
}

// renderer is a way to show progress. Its methods are called without the locks of
// tasks, one at a time per task.
type renderer interface {
	// add begins a task.
	add(t *Task)
	// update says that a task's phase or end has changed; counts change silently.
	update(t *Task)
	// say shows a line that belongs to no task.
	say(line string)
	// close shows the last state of everything and ends.
	close()
}

// New makes a display. Close ends it.
func New(w *os.File, mode Mode) *Display {
	d := &Display{now: time.Now}
	switch mode.resolve(w) {
	case Bars:
		d.out = newBars(w)
	case JSON:
		d.out = newLines(w, d, jsonLine)
	case Plain:
		d.out = newLines(w, d, plainLine)
	default:
		return nil
	}
	return d
}

// Task begins a task: id names it for programs (a digest), label for people. total
// is its size in bytes, 0 if it is not known.
func (d *Display) Task(id, label string, total int64) *Task {
	if d == nil {
		return nil
	}
	t := &Task{d: d, ID: id, Label: printable(label), started: d.now(), phase: "waiting"}
	t.total.Store(total)
	d.mu.Lock()
	ended := d.ended
	if !ended {
		d.tasks = append(d.tasks, t)
	}
	d.mu.Unlock()
	if ended {
		return nil
	}
	d.out.add(t)
	return t
}

// Print shows a line besides the tasks: that something is tried again, say.
func (d *Display) Print(line string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	ended := d.ended
	d.mu.Unlock()
	if !ended {
		d.out.say(printable(line))
	}
}

// Close shows the last state and gives the stream back. What comes after it is
// dropped.
func (d *Display) Close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	ended := d.ended
	d.ended = true
	d.mu.Unlock()
	if !ended {
		d.out.close()
	}
}

// running are the tasks that have not ended.
func (d *Display) running() []*Task {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*Task
	for _, t := range d.tasks {
		if s := t.State(); !s.Ended {
			list = append(list, t)
		}
	}
	return list
}
