package state

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAlive(t *testing.T) {
	cmd := exec.Command("/bin/cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("starting cat: ", err)
	}
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	if err != nil || start == 0 {
		t.Fatal(start, err)
	}
	alive := func(pid int, start uint64) bool {
		is, err := Alive(pid, start)
		if err != nil {
			t.Error(err)
		}
		return is
	}
	if !alive(pid, start) || alive(pid, start+1) || alive(0, 0) || alive(-1, start) {
		t.Error("a running process is taken for another, or another for it")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	// WNOWAIT leaves the zombie.
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := StartTime(pid); err != nil || got != start {
		t.Fatalf("the zombie's start time is %d, %v", got, err)
	}
	if alive(pid, start) {
		t.Error("a zombie is alive")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := StartTime(pid); alive(pid, start) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a reaped process is alive: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	tail := strings.Repeat(" 1", 18) + " 4711 2 3\n"
	for line, want := range map[string]procStat{
		"5 (cat) S" + tail:                {state: 'S', startTime: 4711},
		"5 (a) R 1 2 3 (b) ) Z" + tail:    {state: 'Z', startTime: 4711},
		"5 (new\nline (( 1 2 3) X" + tail: {state: 'X', startTime: 4711},
		"5 (cat S" + tail:                 {},
		"5 (cat) S 1 2 3 4 5 1077936132" + strings.Repeat(" 1", 12) + " 4711 1": {state: 'S', exiting: true, startTime: 4711},
		"5 (cat) S 1 2 3":   {},
		"5 (cat)":           {},
		"":                  {},
		"5 (cat) SS" + tail: {},
		"5 (c) S" + strings.Repeat(" 1", 18) + " x": {},
	} {
		got, err := parseStat([]byte(line))
		if got != want || (err == nil) != (want != procStat{}) {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
}

func TestStatus(t *testing.T) {
	pid := os.Getpid()
	start, err := StartTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	yes := func(*State) bool { return true }
	no := func(*State) bool { return false }
	never := func(*State) bool { t.Error("asked"); return false }
	for _, c := range []struct {
		name      string
		s         State
		listening bool
		frozen    func(*State) bool
		want      Status
	}{
		{"creating", State{}, false, never, Creating},
		{"stopped", State{PID: pid, StartTime: start + 1}, true, never, Stopped},
		{"created", State{PID: pid, StartTime: start}, true, no, Created},
		{"paused before its start", State{PID: pid, StartTime: start}, true, yes, Paused},
		{"paused", State{PID: pid, StartTime: start}, false, yes, Paused},
		{"running", State{PID: pid, StartTime: start}, false, no, Running},
		{"no cgroup", State{PID: pid, StartTime: start}, false, nil, Running},
	} {
		if got, err := c.s.Status(c.listening, c.frozen); got != c.want || err != nil {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
}

// Without file descriptors a live process must not look dead.
func TestAliveUnknown(t *testing.T) {
	start, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var lim, none unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	none.Max = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	status, err := (&State{PID: os.Getpid(), StartTime: start}).Status(false, nil)
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("%s, %v", status, err)
	}
}
