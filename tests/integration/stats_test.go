package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	. "berth/tests/harness"

	"golang.org/x/sys/unix"
)

// watches says that a process has a pidfd and sleeps in poll(2): the runtime
// watches a container.
func watches(pid int) bool {
	if !holdsPidfd(pid) {
		return false
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err == nil && strings.HasPrefix(string(text), fmt.Sprint(unix.SYS_PPOLL)+" ") {
			return true
		}
	}
	return false
}

// table reads the output of stats: titles, then cells by id.
func table(x *Test, text string) (titles []string, rows map[string][]string) {
	x.Helper()
	gap := regexp.MustCompile(` {3,}`)
	rows = map[string][]string{}
	for line := range strings.Lines(text) {
		cells := gap.Split(strings.TrimSpace(line), -1)
		if titles == nil {
			titles = cells
			continue
		}
		rows[cells[0]] = cells
	}
	return titles, rows
}

func TestStatsTable(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids"), Berth)
	c := x.Up(limits)
	idle := x.UpAs(x.NewID())
	busy := c.ExecCmd(nil, "/bin/sh", "-c", "while :; do :; done").Start()
	var r Result
	x.Until("CPU time of a busy loop", func() bool {
		r = x.OK("stats", "--no-stream", "--interval", "200ms", c.ID, idle.ID)
		_, rows := table(x, r.Stdout)
		return len(rows[c.ID]) > 1 && !strings.HasPrefix(rows[c.ID][1], "0.")
	})
	Equal(x, "stderr", r.Stderr, "")
	titles, rows := table(x, r.Stdout)
	Equal(x, "titles", strings.Join(titles, "|"), "ID|CPU %|MEM / LIMIT|MEM %|PIDS|READ / WRITTEN|CPU PSI|MEM PSI|IO PSI")
	if len(rows) != 2 || len(rows[c.ID]) != len(titles) || len(rows[idle.ID]) != len(titles) {
		x.Fatalf("%v", r)
	}
	row := rows[c.ID]
	var cpu, memory float64
	if _, err := fmt.Sscan(row[1], &cpu); err != nil || cpu < 1 || cpu > 200 {
		x.Errorf("CPU of a busy loop with half a CPU: %s", row[1])
	}
	if !strings.HasSuffix(row[2], " / 96.0MiB") {
		x.Errorf("memory: %s", row[2])
	}
	if _, err := fmt.Sscan(row[3], &memory); err != nil || memory <= 0 || memory > 100 {
		x.Errorf("memory percentage: %s", row[3])
	}
	if !strings.HasSuffix(row[4], " / 99") {
		x.Errorf("pids: %s", row[4])
	}
	if !strings.HasSuffix(rows[idle.ID][2], " / unlimited") || rows[idle.ID][3] != "-" {
		x.Errorf("no limit: %v", rows[idle.ID])
	}
	x.ContainsNot("piped output", r.Stdout, "\x1b")
	busy.Signal(syscall.SIGKILL)
}

func TestStatsJSON(t *testing.T) {
	x := New(t, Cgroup("memory", "cpu", "pids"), Berth)
	c := x.Up(limits)
	x.UpAs(x.NewID())
	r := x.OK("stats", "--no-stream", "--format", "json", "--interval", "50ms")
	Equal(x, "lines", strings.Count(r.Stdout, "\n"), 1)
	var list []struct {
		ID, Status string
		CPUPercent *float64 `json:"cpu_percent"`
		Stats      map[string]any
	}
	x.JSON(r.Stdout, &list)
	if len(list) != 2 || list[0].ID != c.ID {
		x.Fatalf("%v", r)
	}
	Equal(x, "status", list[0].Status, "running")
	if list[0].CPUPercent == nil || *list[0].CPUPercent < 0 || list[0].Stats["memory"] == nil || list[0].Stats["pids"] == nil {
		x.Errorf("%v", r)
	}
}

// Without ids those that run, with --all those that have stopped, too.
func TestStatsAll(t *testing.T) {
	x := New(t, Cgroup("pids"), Berth)
	created := x.Create(x.Bundle(Args("/bin/probe", "pause")))
	paused := x.UpAs(x.NewID())
	x.OK("pause", paused.ID)
	stopped := x.UpAs(x.NewID())
	x.OK("kill", stopped.ID, "KILL")
	stopped.WaitStatus("stopped")
	_, rows := table(x, x.OK("stats", "--no-stream").Stdout)
	if len(rows) != 2 || rows[created.ID] == nil || rows[paused.ID] == nil {
		x.Errorf("%v", rows)
	}
	_, rows = table(x, x.OK("stats", "--no-stream", "--all").Stdout)
	if len(rows) != 3 || strings.Join(rows[stopped.ID][1:], "") != strings.Repeat("-", 8) {
		x.Errorf("with --all: %v", rows)
	}
	x.OK("resume", paused.ID)
}

// Piped, one table follows the other, until the containers have ended.
func TestStatsStream(t *testing.T) {
	x := New(t, Cgroup("pids"), Berth)
	c := x.Up()
	p := x.Cmd("stats", "--interval", "50ms", c.ID).Start()
	x.Until("three tables", func() bool { return strings.Count(p.Out(), "CPU %") >= 3 })
	x.OK("kill", c.ID, "KILL")
	r := p.Wait()
	x.Code(r, 0)
	Equal(x, "stderr", r.Stderr, "")
}

// A container that was deleted meanwhile ends the stream, too.
func TestStatsDeleted(t *testing.T) {
	x := New(t, Cgroup("pids"), Berth)
	c := x.Up()
	p := x.Cmd("stats", "--interval", "50ms", c.ID).Start()
	x.Until("a table", func() bool { return strings.Contains(p.Out(), "CPU %") })
	x.OK("delete", "--force", c.ID)
	x.Code(p.Wait(), 0)
}

// On a terminal the table is drawn in place.
func TestStatsTerminal(t *testing.T) {
	x := New(t, Cgroup("pids"), Berth)
	c := x.Up()
	pty := x.NewPty(24, 120)
	cmd := x.Cmd("stats", "--interval", "50ms", c.ID)
	cmd.Stdin, cmd.Stdout, cmd.Tty = pty.Slave, pty.Slave, true
	p := cmd.Start()
	x.Until("three tables", func() bool { return strings.Count(pty.Text(), "\x1b[H") >= 3 })
	pty.Type("\x03")
	x.Code(p.Wait(), 130)
	x.Contains("terminal", pty.Text(), "\x1b[K")
	x.Contains("terminal", pty.Text(), c.ID)
}

func TestStatsRefused(t *testing.T) {
	x := New(t, Berth)
	x.Refused(x.Do("stats", "--no-stream", x.ID+"x"), 1, x.ID+"x: container does not exist")
	x.Refused(x.Do("stats", "--format", "yaml"), 1, "not table or json")
	x.Refused(x.Do("stats", "--all", x.ID), 1, "--all and containers exclude each other")
	x.Refused(x.Do("stats", "--interval", "0"), 1, "must be greater than 0")
	r := x.OK("stats", "--no-stream", "--format", "json")
	Equal(x, "no containers", r.Stdout, "[]\n")
}
