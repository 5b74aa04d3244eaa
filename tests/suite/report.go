package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// report gathers the events of all stages.
type report struct {
	verbose                 bool
	passed, failed, skipped int
	packages                map[string]*results
	// built is the compiler's output of packages that do not build.
	built map[string]string
	// reasons maps why tests were skipped to their names.
	reasons map[string][]string
}

// results are those of one package.
type results struct {
	passed, failed, skipped int
	// output of each test; of the package itself below the empty name.
	output map[string]*strings.Builder
	// parents are the tests that have subtests: only those are counted.
	parents map[string]bool
	// failures are the names of failed tests.
	failures []string
}

func newReport(verbose bool) *report {
	return &report{verbose: verbose, packages: map[string]*results{}, built: map[string]string{}, reasons: map[string][]string{}}
}

// add takes a line of go test -json and prints what is due.
func (r *report) add(line []byte, w io.Writer) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		// What is not an event is for the reader.
		fmt.Fprintf(w, "%s", line)
		return
	}
	if e.Action == "build-output" {
		r.built[e.ImportPath] += e.Output
		return
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &results{output: map[string]*strings.Builder{}, parents: map[string]bool{}}
		r.packages[e.Package] = p
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			p.parents[e.Test[:i]] = true
		}
	case "output":
		if r.verbose {
			fmt.Fprint(w, e.Output)
		}
		p.keep(e.Test, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(p, e, w)
			return
		}
		r.endTest(p, e, w)
	}
}

func (p *results) keep(test, output string) {
	if p.output[test] == nil {
		p.output[test] = &strings.Builder{}
	}
	p.output[test].WriteString(output)
}

func (p *results) take(test string) string {
	kept := p.output[test]
	if kept == nil {
		return ""
	}
	delete(p.output, test)
	return kept.String()
}

// endTest counts a test and prints the output of one that failed.
func (r *report) endTest(p *results, e event, w io.Writer) {
	output := p.take(e.Test)
	parent := p.parents[e.Test]
	if parent && (e.Action != "fail" || p.failedBelow(e.Test)) {
		// Its subtests are what is counted, unless it failed by itself.
		return
	}
	if e.Action == "fail" {
		p.failures = append(p.failures, e.Test)
		if !r.verbose {
			fmt.Fprintf(w, "FAIL  %s %s\n%s", strings.TrimPrefix(e.Package, "berth/"), e.Test, indent(output))
		}
	}
	switch e.Action {
	case "pass":
		p.passed++
		r.passed++
	case "fail":
		p.failed++
		r.failed++
	case "skip":
		p.skipped++
		r.skipped++
		reason := skipReason(output)
		r.reasons[reason] = append(r.reasons[reason], strings.TrimPrefix(e.Package, "berth/")+" "+e.Test)
	}
}

// failedBelow says that a subtest of test has failed.
func (p *results) failedBelow(test string) bool {
	return slices.ContainsFunc(p.failures, func(name string) bool { return strings.HasPrefix(name, test+"/") })
}

// endPackage prints the line of a package, and what it said outside its tests if it failed.
func (r *report) endPackage(p *results, e event, w io.Writer) {
	elapsed := time.Duration(e.Elapsed * float64(time.Second)).Round(10 * time.Millisecond)
	name := strings.TrimPrefix(e.Package, "berth/")
	switch {
	case e.Action == "fail" && p.failed == 0:
		// It did not build, or its TestMain failed, or it was killed.
		r.failed++
		fmt.Fprintf(w, "FAIL  %s\n%s%s", name, indent(r.buildOutput(e.Package)), indent(p.rest()))
	case e.Action == "fail":
		fmt.Fprintf(w, "FAIL  %-24s %d passed, %d failed, %d skipped (%s)\n", name, p.passed, p.failed, p.skipped, elapsed)
		fmt.Fprint(w, indent(p.take("")))
	case p.passed+p.skipped == 0:
		// No tests.
	default:
		fmt.Fprintf(w, "ok    %-24s %d passed, %d skipped (%s)\n", name, p.passed, p.skipped, elapsed)
	}
	delete(r.packages, e.Package)
}

// rest is the output of tests that never ended, and of the package.
func (p *results) rest() string {
	names := make([]string, 0, len(p.output))
	for name := range p.output {
		names = append(names, name)
	}
	sort.Strings(names)
	var text strings.Builder
	for _, name := range names {
		text.WriteString(p.output[name].String())
	}
	return text.String()
}

// buildOutput is what the compiler said about a package or its test binary, which
// go list names "berth/x [berth/x.test]".
func (r *report) buildOutput(pkg string) string {
	var text string
	for path, output := range r.built {
		if path == pkg || strings.HasPrefix(path, pkg+" ") || strings.HasPrefix(path, pkg+".test") || strings.HasPrefix(path, pkg+"_test") {
			text += output
		}
	}
	if text == "" {
		// A package it imports does not build.
		for _, output := range r.built {
			text += output
		}
	}
	return text
}

// logged is a line a test wrote with t.Log or t.Skip.
var logged = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

// skipReason is the last thing a skipped test said.
func skipReason(output string) string {
	reason := "no reason given"
	for line := range strings.Lines(output) {
		if match := logged.FindStringSubmatch(strings.TrimRight(line, "\n")); match != nil {
			reason = match[1]
		}
	}
	return reason
}

// printSkipped names what was left out, by reason.
func (r *report) printSkipped(w io.Writer) {
	if r.skipped == 0 {
		return
	}
	fmt.Fprintf(w, "\n== skipped\n")
	reasons := make([]string, 0, len(r.reasons))
	for reason := range r.reasons {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if n := len(r.reasons[b]) - len(r.reasons[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for _, reason := range reasons {
		tests := r.reasons[reason]
		const shown = 3
		names := strings.Join(tests[:min(shown, len(tests))], ", ")
		if more := len(tests) - shown; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(w, "%4d  %s\n        %s\n", len(tests), reason, names)
	}
}

func indent(text string) string {
	var indented strings.Builder
	for line := range strings.Lines(text) {
		indented.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	return indented.String()
}
