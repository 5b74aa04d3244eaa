package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sample is what one pull took; memory in bytes.
type sample struct {
	wall, cpu time.Duration
	memory    int64
}

type host struct {
	dir      string
	registry string
	tools    []tool
	only     *regexp.Regexp
	table    table
}

// measure lets every tool pull every image into an empty store, and, where it has
// one, once more.
func (h *host) measure(rounds int) error {
	for round := range rounds {
		for _, s := range shapes() {
			for i := range h.tools {
				// Nobody always goes first.
				t := h.tools[(i+round)%len(h.tools)]
				if !h.only.MatchString(t.name + "/" + s.name) {
					continue
				}
				if err := h.one(t, s.name, round); err != nil {
					return fmt.Errorf("%s: %s: %w", t.name, s.name, err)
				}
			}
		}
	}
	return nil
}

func (h *host) one(t tool, image string, round int) error {
	dir := filepath.Join(h.dir, fmt.Sprintf("%s-%s-%d", strings.Fields(t.name)[0], image, round))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	daemon, err := t.begin(dir)
	if err != nil {
		return err
	}
	defer daemon.stop()
	ref := h.registry + "/" + image + ":latest"
	unix.Sync() // what others have written is not this one's
	first, err := daemon.during(t.pull(dir, ref))
	if err != nil {
		return err
	}
	h.table.add(image, t.name, first)
	if !t.again {
		return nil
	}
	second, err := daemon.during(t.pull(dir, ref))
	if err != nil {
		return err
	}
	h.table.add(image+", again", t.name, second)
	return nil
}

// runAll runs commands one after the other and adds up what they took.
func runAll(commands [][]string) (sample, error) {
	var s sample
	for _, args := range commands {
		cmd := exec.Command(args[0], args[1:]...)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		s.wall += time.Since(began)
		if err != nil {
			return s, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
		used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return s, fmt.Errorf("%s: no rusage", args[0])
		}
		s.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		s.memory = max(s.memory, used.Maxrss<<10)
	}
	return s, nil
}
