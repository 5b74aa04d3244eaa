package integration

import (
	"encoding/json"
	"strings"
	"testing"

	. "berth/tests/harness"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// event is a line of events, with the fields engines decode.
type event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data *struct {
		CPU struct {
			Usage struct {
				Total  uint64
				Percpu []uint64
			}
			Throttling struct{ Periods, ThrottledPeriods uint64 }
		}
		Memory struct {
			Usage struct{ Limit, Usage, Max, Failcnt uint64 }
			Raw   map[string]uint64
		}
		Pids struct{ Current, Limit uint64 }
	} `json:"data"`
}

// events decodes whole lines; the last may be on its way.
func events(x *Test, text string) []event {
	x.Helper()
	var list []event
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var e event
		x.JSON(line, &e)
		list = append(list, e)
	}
	return list
}

func countOf(list []event, kind string) (n int) {
	for _, e := range list {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// ended kills the container, which ends the events. runc goes on while there is a
// cgroup.
func ended(x *Test, c *Container, p *Proc) Result {
	x.Helper()
	x.OK("kill", c.ID, "KILL")
	if !IsBerth() {
		c.WaitStatus("stopped")
		x.OK("delete", c.ID)
	}
	return p.Wait()
}

func TestEventsStats(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids"), Not("crun", "it has no events"))
	c := x.Up(limits)
	r := x.OK("events", "--stats", c.ID)
	Equal(x, "lines", strings.Count(r.Stdout, "\n"), 1)
	Equal(x, "stderr", r.Stderr, "")
	e := events(x, r.Stdout)[0]
	Equal(x, "type", e.Type, "stats")
	Equal(x, "id", e.ID, c.ID)
	Equal(x, "memory limit", e.Data.Memory.Usage.Limit, 96<<20)
	Equal(x, "pids limit", e.Data.Pids.Limit, 99)
	if e.Data.Pids.Current == 0 || e.Data.CPU.Usage.Total == 0 || e.Data.Memory.Usage.Usage == 0 || len(e.Data.Memory.Raw) < 10 {
		x.Errorf("counters are missing: %s", r.Stdout)
	}
	var sections struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	x.JSON(r.Stdout, &sections)
	for _, name := range []string{"cpu", "memory", "pids"} {
		if len(sections.Data[name]) == 0 {
			x.Errorf("no section %s: %s", name, r.Stdout)
		}
	}
	if IsBerth() && !Cgroups().Has("hugetlb") && len(sections.Data["hugetlb"]) > 0 {
		x.Errorf("a section for a controller that is not there: %s", sections.Data["hugetlb"])
	}
}

func TestEventsInterval(t *testing.T) {
	x := New(t, Cgroup("pids"), Not("crun", "it has no events"))
	c := x.Up(limits)
	p := x.Cmd("events", "--interval", "100ms", c.ID).Start()
	x.Until("three statistics", func() bool { return countOf(events(x, p.Out()), "stats") >= 3 })
	// A pause is no end.
	x.OK("pause", c.ID)
	n := countOf(events(x, p.Out()), "stats")
	x.Until("statistics of a paused container", func() bool { return countOf(events(x, p.Out()), "stats") >= n+2 })
	x.OK("resume", c.ID)
	x.Code(ended(x, c, p), 0)
	Equal(x, "oom events", countOf(events(x, p.Out()), "oom"), 0)
	x.OK("delete", "--force", c.ID)
	x.NothingLeft()
}

// It ends at once, without waiting for the next statistics.
func TestEventsEnd(t *testing.T) {
	x := New(t, Cgroup("pids"), Berth)
	b := x.Bundle(Args("/bin/probe", "pause"), limits)
	c := x.Create(b)
	p := x.Cmd("events", "--interval", "3600", c.ID).Start()
	x.Until("the container is watched", func() bool { return watches(p.Pid()) })
	c.Start()
	x.OK("kill", c.ID, "KILL")
	r := p.Wait()
	x.Code(r, 0)
	Equal(x, "output", r.Stdout+r.Stderr, "")
}

// A process that takes more than the limit: killed, and reported.
func TestEventsOOM(t *testing.T) {
	x := New(t, Cgroup("memory"), Not("crun", "it has no events"))
	c := x.Up(limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20)), Swap: Ptr(int64(64 << 20))}}))
	p := x.Cmd("events", "--interval", "100ms", c.ID).Start()
	x.Until("statistics", func() bool { return countOf(events(x, p.Out()), "stats") > 0 })
	x.Code(c.Exec("/bin/probe", "grow", "200"), 137)
	x.Until("an OOM event", func() bool { return countOf(events(x, p.Out()), "oom") > 0 })
	for _, e := range events(x, p.Out()) {
		if e.Type == "oom" && (e.ID != c.ID || e.Data != nil) {
			x.Errorf("%+v", e)
		}
	}
	Equal(x, "status", c.State().Status, "running")
	if IsBerth() {
		var s struct {
			Data struct {
				Memory struct {
					Events map[string]int `json:"event_count"`
				}
			}
		}
		x.JSON(x.OK("events", "--stats", c.ID).Stdout, &s)
		if s.Data.Memory.Events["oom_kill"] == 0 {
			x.Errorf("the kill is not counted: %v", s.Data.Memory.Events)
		}
	}
	x.Code(ended(x, c, p), 0)
}

// The kill ends the container: the event comes all the same, before the end.
func TestEventsOOMOfInit(t *testing.T) {
	x := New(t, Cgroup("memory"), Berth)
	c := x.Create(x.Bundle(Args("/bin/probe", "grow", "200"), limited(specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: Ptr(int64(64 << 20)), Swap: Ptr(int64(64 << 20))}})))
	p := x.Cmd("events", "--interval", "1h", c.ID).Start()
	x.Until("the container is watched", func() bool { return watches(p.Pid()) })
	x.OK("start", c.ID)
	r := p.Wait()
	x.Code(r, 0)
	Equal(x, "oom events", countOf(events(x, r.Stdout), "oom"), 1)
}

func TestEventsRefused(t *testing.T) {
	x := New(t, Cgroup("pids"), Not("crun", "it has no events"))
	c := x.Up(limits)
	for _, interval := range []string{"0", "-1s", "soon"} {
		x.Refused(x.Do("events", "--interval", interval, c.ID), 1)
	}
	x.OK("kill", c.ID, "KILL")
	c.WaitStatus("stopped")
	for _, args := range [][]string{{"events", c.ID}, {"events", "--stats", c.ID}} {
		x.Refused(x.Do(args...), 1, "container with id "+c.ID+" is not running")
	}
	x.Refused(x.Do("events", c.ID+"x"), 1, "container does not exist")
}
