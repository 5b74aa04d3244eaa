package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sample is what one operation took.
type sample struct{ wall, cpu time.Duration }

// operation is something all runtimes can do.
type operation struct {
	name string
	// joins says that it moves a process into cgroups, and wants the gap before it.
	joins bool
	do    func(h *host, r contender) (sample, error)
}

var operations = []operation{
	{"run /bin/true", true, (*host).run},
	{"create+start+delete", true, (*host).lifecycle},
	{"exec /bin/true", true, verb("exec", "bench-long", "/bin/true")},
	{"state", false, verb("state", "bench-long")},
	{"kill CONT", false, verb("kill", "bench-long", "CONT")},
	{"list", false, verb("list")},
}

// measure runs all operations in turn: every runtime once, and again.
func (h *host) measure(rounds int, gap time.Duration, only *regexp.Regexp) (*table, error) {
	for _, r := range h.runtimes {
		if err := h.startLong(r, "bench-long"); err != nil {
			return nil, err
		}
		defer h.endLong(r, "bench-long")
	}
	t := &table{}
	// The first round warms caches up and is not counted.
	for round := range rounds + 1 {
		if round == 1 {
			t = &table{}
		}
		for _, op := range operations {
			if !only.MatchString(op.name) {
				continue
			}
			// Nobody always goes first.
			for i := range h.runtimes {
				r := h.runtimes[(i+round)%len(h.runtimes)]
				pause(op, gap)
				s, err := op.do(h, r)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", r.name, op.name, err)
				}
				t.add(op.name, r.name, s)
			}
			if op.name == "run /bin/true" && h.floor != "" {
				pause(op, gap)
				s, err := h.runFloor()
				if err != nil {
					return nil, err
				}
				t.add(op.name, "C floor", s)
			}
		}
	}
	return t, nil
}

func pause(op operation, gap time.Duration) {
	if op.joins {
		time.Sleep(gap)
		return
	}
	time.Sleep(min(gap, 10*time.Millisecond))
}

// clock runs a command and returns what it took, its waited-for children included.
func (h *host) clock(cmd *exec.Cmd) (sample, error) {
	// A file, not a pipe: a container that keeps it open holds nobody up.
	output, err := os.OpenFile(filepath.Join(h.base, "output"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return sample{}, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	start := time.Now()
	err = cmd.Run()
	s := sample{wall: time.Since(start)}
	if cmd.ProcessState != nil {
		s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err == nil {
		return s, nil
	}
	said, readErr := os.ReadFile(output.Name())
	return s, errors.Join(fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(string(said))), readErr)
}

func verb(args ...string) func(*host, contender) (sample, error) {
	return func(h *host, r contender) (sample, error) { return h.clock(h.command(r, args...)) }
}

func (h *host) run(r contender) (sample, error) {
	id := "bench-run-" + r.name
	dir, err := h.bundle(id, nil, "/bin/true")
	if err != nil {
		return sample{}, err
	}
	return h.clock(h.command(r, "run", "--bundle", dir, id))
}

// lifecycle is what an engine does; the container's own CPU is added, as its
// parent is this program by then.
func (h *host) lifecycle(r contender) (sample, error) {
	id := "bench-cycle-" + r.name
	dir, err := h.bundle(id, nil, "/bin/true")
	if err != nil {
		return sample{}, err
	}
	pidFile := filepath.Join(dir, "pid")
	total, err := h.clock(h.command(r, "create", "--bundle", dir, "--pid-file", pidFile, id))
	if err != nil {
		return total, err
	}
	started, err := h.clock(h.command(r, "start", id))
	if err != nil {
		return total, err
	}
	ended, err := reap(pidFile)
	if err != nil {
		return total, err
	}
	deleted, err := h.clock(h.command(r, "delete", id))
	total.wall += started.wall + ended.wall + deleted.wall
	total.cpu += started.cpu + ended.cpu + deleted.cpu
	return total, err
}

// reap waits for the container's end.
func reap(pidFile string) (sample, error) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return sample{}, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	var usage unix.Rusage
	for {
		_, err = unix.Wait4(pid, nil, 0, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return sample{}, fmt.Errorf("wait for the container: %w", err)
	}
	cpu := usage.Utime.Nano() + usage.Stime.Nano()
	return sample{wall: time.Since(start), cpu: time.Duration(cpu)}, nil
}

func (h *host) runFloor() (sample, error) {
	cmd, err := h.floorCommand("bench-floor")
	if err != nil {
		return sample{}, err
	}
	return h.clock(cmd)
}

func (h *host) startLong(r contender, id string) error {
	own := id + "-" + r.name
	dir, err := h.bundle(own, nil, "/bin/sleep", "100000")
	if err != nil {
		return err
	}
	// All runtimes know it as id; the cgroup differs.
	_, err = h.clock(h.command(r, "run", "--detach", "--pid-file", filepath.Join(dir, "pid"), "--bundle", dir, id))
	return err
}

func (h *host) endLong(r contender, id string) {
	if _, err := h.clock(h.command(r, "delete", "--force", id)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

func aliveID(i int) string { return "bench-alive-" + strconv.Itoa(i) }

// keepAlive starts n containers of each runtime.
func (h *host) keepAlive(n int) error {
	for i := range n {
		for _, r := range h.runtimes {
			dir, err := h.bundle(aliveID(i)+"-"+r.name, nil, "/bin/sleep", "100000")
			if err != nil {
				return err
			}
			if _, err := h.clock(h.command(r, "run", "--detach", "--bundle", dir, aliveID(i))); err != nil {
				return err
			}
		}
		h.alive = i + 1
	}
	return nil
}
