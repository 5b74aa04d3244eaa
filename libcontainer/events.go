package libcontainer

import (
	"errors"
	"fmt"
	"time"

	"berth/cgroups/stats"

	"golang.org/x/sys/unix"
)

// EventsOptions are the flags of events.
type EventsOptions struct {
	// Interval is the time between two statistics; it must be positive.
	Interval time.Duration
	// Once asks for the statistics of this moment and nothing more.
	Once bool
}

// Event is what Events reports; its JSON form is runc's.
type Event struct {
	// Type is "stats" or "oom".
	Type string       `json:"type"`
	ID   string       `json:"id"`
	Data *stats.Stats `json:"data,omitempty"`
}

// Events calls emit with the container's statistics at every interval and each
// time it runs out of memory, until its init process has ended. An error of emit
// ends it, too.
func (rt *Runtime) Events(id string, o EventsOptions, emit func(Event) error) error {
	c, err := rt.open(id)
	if err != nil {
		return err
	}
	defer c.close()
	init, err := c.openInit()
	if errors.Is(err, ErrNotRunning) {
		return fmt.Errorf("container with id %s is not running", id) // runc's sentence
	}
	if err != nil {
		return err
	}
	defer init.close()
	r, err := stats.Open(c.state.Cgroup)
	if err != nil {
		return fmt.Errorf("statistics of %s: %w", id, err)
	}
	defer r.Close()
	if o.Once {
		s, err := r.Read()
		if err != nil {
			return fmt.Errorf("statistics of %s: %w", id, err)
		}
		return emit(Event{"stats", id, s})
	}
	w, err := r.WatchOOM()
	if err != nil {
		return fmt.Errorf("watch the memory of %s: %w", id, err)
	}
	defer w.Close()
	e := &eventLoop{id: id, pidfd: init.pidfd, reader: r, oom: w, emit: emit}
	return e.run(o.Interval)
}

// eventLoop waits for three things at once: memory that runs out, the end of the
// container, and the clock.
type eventLoop struct {
	id     string
	pidfd  int
	reader *stats.Reader
	oom    *stats.OOMWatch
	emit   func(Event) error
}

func (e *eventLoop) run(interval time.Duration) error {
	next := time.Now().Add(interval)
	for {
		ended, err := e.wait(next)
		if err != nil {
			return err
		}
		// Also after the end: the kernel counts before it kills.
		if err := e.checkOOM(); err != nil {
			return err
		}
		if ended {
			return nil
		}
		if now := time.Now(); !now.Before(next) {
			if err := e.stats(); err != nil {
				return err
			}
			// A reader that stalls gets no burst of old news.
			for !next.After(now) {
				next = next.Add(interval)
			}
		}
	}
}

// wait returns at the given time, when memory ran out, or when the init process
// has ended.
func (e *eventLoop) wait(until time.Time) (ended bool, err error) {
	fds := []unix.PollFd{{Fd: int32(e.pidfd), Events: unix.POLLIN}, e.oom.PollFd()}
	left := max(time.Until(until), 0)
	// Rounded up, or the last millisecond would be spent in a busy loop.
	ms := min((left+time.Millisecond-1)/time.Millisecond, 1<<30)
	if _, err := unix.Poll(fds, int(ms)); err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("wait for events of %s: %w", e.id, err)
	}
	return fds[0].Revents != 0, nil
}

func (e *eventLoop) checkOOM() error {
	out, err := e.oom.Check()
	if err != nil || !out {
		return err
	}
	return e.emit(Event{Type: "oom", ID: e.id})
}

// stats reports the statistics, unless the cgroup was removed a moment ago, which
// the end of the init process explains.
func (e *eventLoop) stats() error {
	s, err := e.reader.Read()
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("statistics of %s: %w", e.id, err)
	}
	return e.emit(Event{"stats", e.id, s})
}
