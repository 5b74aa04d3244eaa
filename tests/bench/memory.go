package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// step and steps are the limits tried: up to 16 MiB in steps of 16 KiB.
const (
	step  = 16 << 10
	steps = 1024
)

// smallestMemory finds, for each runtime, the smallest memory limit with which a
// container runs a static true three times in a row.
func (h *host) smallestMemory() {
	fmt.Printf("\nsmallest memory limit that runs a static true\n")
	for _, r := range h.runtimes {
		low, high := 0, steps // low fails, high works
		if !h.runsWith(r, high*step) {
			fmt.Printf("%-9smore than %d KiB\n", r.name, high*step>>10)
			continue
		}
		for high-low > 1 {
			if middle := (low + high) / 2; h.runsWith(r, middle*step) {
				high = middle
			} else {
				low = middle
			}
		}
		fmt.Printf("%-9s%6d KiB\n", r.name, high*step>>10)
	}
}

func (h *host) runsWith(r contender, limit int) bool {
	id := "bench-memory-" + r.name
	dir, err := h.bundle(id, func(config map[string]any) {
		section(section(section(config, "linux"), "resources"), "memory")["limit"] = limit
	}, "/bin/true")
	if err != nil {
		fmt.Println(err)
		return false
	}
	for range 3 {
		if err := h.runBounded(r, dir, id); err != nil {
			return false
		}
	}
	return true
}

// runBounded ends a run that hangs: a runtime may wait for an init that was killed.
func (h *host) runBounded(r contender, dir, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	call := h.command(r, "run", "--bundle", dir, id)
	cmd := exec.CommandContext(ctx, call.Path, call.Args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	_, err := h.clock(cmd)
	if err != nil {
		_, deleteErr := h.clock(h.command(r, "delete", "--force", id))
		err = errors.Join(err, deleteErr)
	}
	return err
}
