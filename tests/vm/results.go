package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// event is a line that go tool test2json makes of a test binary's output.
type event struct {
	Action, Test, Output string
}

// results are those of one mode.
type results struct {
	name                    string
	subtests                []string // that have to be among them
	status, seconds         int      // of the test binary
	passed, failed, skipped int
	failures                []failure
	reasons                 map[string]int // why tests were skipped
	running                 []failure      // tests that never ended
	outside                 string         // output that belongs to no test
	log                     strings.Builder
}

type failure struct{ test, output string }

func newResults(b boot, name, kernel string) *results {
	r := &results{name: name, reasons: map[string]int{}}
	if i := slices.IndexFunc(b.modes, func(m mode) bool { return m.name == name }); i >= 0 {
		r.name = fmt.Sprintf("%s: v2 %s %s", kernel, b.modes[i].user, b.modes[i].manager)
	}
	return r
}

// count turns the output of the test binary into numbers. Of a test with subtests
// only these are counted, unless it failed by itself.
func (r *results) count(ctx context.Context, output *bytes.Buffer) error {
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json")
	cmd.Stdin = output
	converted, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go tool test2json: %w", err)
	}
	said := map[string]string{}
	running := map[string]bool{}
	parents := map[string]bool{}
	skipped := map[string]bool{}
	below := map[string]bool{} // tests with a subtest that failed
	for decoder := json.NewDecoder(bytes.NewReader(converted)); ; {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		parent := ""
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			parent = e.Test[:i]
			parents[parent] = true
		}
		switch e.Action {
		case "run":
			running[e.Test] = true
		case "pass", "fail", "skip":
			delete(running, e.Test)
			skipped[e.Test] = e.Action == "skip"
		}
		switch {
		case e.Action == "output":
			said[e.Test] += e.Output
		case e.Test == "":
		case e.Action == "fail":
			below[parent] = true
			if below[e.Test] {
				break
			}
			r.failed++
			r.failures = append(r.failures, failure{e.Test, said[e.Test]})
		case e.Action == "pass" && !parents[e.Test]:
			r.passed++
		case e.Action == "skip" && !parents[e.Test]:
			r.skipped++
			r.reasons[reason(said[e.Test])]++
		}
	}
	for _, test := range slices.Sorted(maps.Keys(running)) {
		r.running = append(r.running, failure{test, said[test]})
	}
	for _, test := range r.subtests {
		top, _, _ := strings.Cut(test, "/")
		if _, ran := said[test]; !ran && !skipped[top] {
			r.failed++
			r.failures = append(r.failures, failure{test, "no subtest is called so, or it never began\n"})
		}
	}
	r.outside = said[""]
	return nil
}

// reason is the last thing a skipped test said.
func reason(output string) string {
	last := "no reason given"
	for line := range strings.Lines(output) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok = strings.Cut(text, ": "); ok {
				last = strings.TrimSpace(text)
			}
		}
	}
	return last
}

// bad says that the mode failed; also when no test did: it may have been ended, or
// have found something left behind.
func (r *results) bad() bool { return r.failed > 0 || r.status != 0 || r.passed == 0 }

// print writes the line of the mode, and below it what failed with its log; if
// verbose also why tests were skipped.
func (r *results) print(w io.Writer, verbose bool) {
	fmt.Fprintf(w, "vm: %s: %d passed, %d skipped, %d failed (%d s)\n", r.name, r.passed, r.skipped, r.failed, r.seconds)
	if verbose {
		for _, reason := range slices.Sorted(maps.Keys(r.reasons)) {
			fmt.Fprintf(w, "%6d skipped: %s\n", r.reasons[reason], reason)
		}
	}
	for _, f := range r.failures {
		fmt.Fprintf(w, "FAIL  %s\n%s", f.test, indent(f.output))
	}
	if !r.bad() {
		return
	}
	for _, f := range r.running {
		fmt.Fprintf(w, "FAIL  %s did not end\n%s", f.test, indent(f.output))
	}
	fmt.Fprintf(w, "      status %d; outside of tests:\n%s", r.status, indent(r.outside))
	fmt.Fprintf(w, "      log of the machine:\n%s", indent(r.log.String()))
}

func indent(text string) string {
	var indented strings.Builder
	for line := range strings.Lines(text) {
		indented.WriteString("      " + strings.TrimRight(line, "\r\n") + "\n")
	}
	return indented.String()
}
