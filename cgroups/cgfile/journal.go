package cgfile

import (
	"errors"
	"fmt"
	"strings"
)

// Journal notes what control files held before they were written, so that a change
// of several can be taken back when one is refused. It is used by one goroutine.
type Journal struct {
	undo  []func() error
	after []func()
}

// Attempt lets change happen as a whole or not at all: when it fails, what it has
// noted is taken back. The Dirs must be open still by then.
func Attempt(change func(*Journal) error) error {
	var j Journal
	defer func() {
		for _, f := range j.after {
			f()
		}
	}()
	err := change(&j)
	if err != nil {
		err = errors.Join(err, j.takeBack())
	}
	return err
}

// Add notes how one more change is taken back.
func (j *Journal) Add(undo func() error) { j.undo = append(j.undo, undo) }

// After notes what to do once the Journal is of no more use, such as to close what
// taking back would take.
func (j *Journal) After(f func()) { j.after = append(j.after, f) }

// takeBack takes all changes back, the last first: each state on the way was one
// the kernel had accepted. It goes on after errors.
func (j *Journal) takeBack() error {
	var errs []error
	for i := len(j.undo) - 1; i >= 0; i-- {
		if err := j.undo[i](); err != nil {
			errs = append(errs, fmt.Errorf("put back: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Log makes every Write and WriteLines note in j what the file held; nil ends that.
func (d *Dir) Log(j *Journal) { d.journal = j }

// before returns how to take back a write of data to name, nil when there is no
// journal, or when the file cannot be read: then it holds no state.
func (d *Dir) before(name, data string) func() error {
	if d.journal == nil {
		return nil
	}
	content, err := d.Read(name)
	if err != nil {
		return nil
	}
	old := restore(name, data, content)
	return func() error { return d.write(name, old) }
}

// restore is what to write to a file so that it holds again what content shows,
// after data was written to it.
func restore(name, data, content string) string {
	if key, ok := keyOf(data); ok {
		return restoreKey(name, key, content)
	}
	first, _, _ := strings.Cut(content, "\n")
	word, rest, words := strings.Cut(first, " ")
	switch {
	case content == "":
		return "\n" // nothing at all is not given to the kernel's parsers
	case name == "memory.oom_control" && word == "oom_kill_disable" && rest != "": // and counters below
		return rest
	case word == "default": // io.weight, io.bfq.weight
		return first
	case name == "cpuset.cpus.partition" && words: // root invalid (a reason)
		return word
	}
	return content
}

// keyOf finds what a line of a table is about: a device number in "8:0 rbps=1", a
// name in "mlx5_0 hca_handle=2". The first word of "50000 100000" and of "max
// 100000" is a value.
func keyOf(data string) (string, bool) {
	key, _, more := strings.Cut(data, " ")
	if !more || key == "max" || key == "default" || strings.Trim(key, "-0123456789") == "" {
		return "", false
	}
	return key, true
}

// restoreKey returns the key's line as it was; a key without one had no entry.
func restoreKey(name, key, content string) string {
	for line := range strings.Lines(content) {
		if k, _, _ := strings.Cut(strings.TrimSpace(line), " "); k == key {
			return strings.TrimSpace(line)
		}
	}
	switch name {
	case "io.max":
		return key + " rbps=max wbps=max riops=max wiops=max"
	case "io.latency":
		return key + " target=0"
	case "io.weight", "io.bfq.weight":
		return key + " default"
	}
	return key + " 0" // the throttles and weights of blkio
}
