package harness

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Says returns what the runtime said on stderr, with the quoting of its log taken away.
func (r Result) Says() string {
	text := strings.ReplaceAll(r.Stderr, `\\`, `\`)
	return strings.ReplaceAll(text, `\"`, `"`)
}

// Lines returns the lines on stderr but hints.
func (r Result) Lines() []string {
	var lines []string
	for line := range strings.Lines(r.Stderr) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "hint: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Refused asserts that the call failed with the status and that stderr matches all
// the regular expressions (of berth: in exactly one line). crun words its errors in
// its own way and has statuses of its own: of it only the failing is asserted.
func (x *Test) Refused(r Result, status int, patterns ...string) {
	x.Helper()
	if runtimeName == "crun" {
		if r.Code == 0 {
			x.Errorf("%v: want an error", r)
		}
		return
	}
	if r.Code != status {
		x.Errorf("%v: want status %d", r, status)
	}
	if IsBerth() && len(r.Lines()) != 1 {
		x.Errorf("%v: want one line on stderr", r)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(r.Says()) {
			x.Errorf("%v: stderr does not match %q", r, pattern)
		}
	}
}

// Equal asserts that got is what was wanted.
func Equal[T comparable](x *Test, what string, got, want T) {
	x.Helper()
	if got != want {
		x.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Same asserts that got and want have the same JSON form.
func Same(x *Test, what string, got, want any) {
	x.Helper()
	a, err := json.Marshal(got)
	x.Must(err)
	b, err := json.Marshal(want)
	x.Must(err)
	Equal(x, what, string(a), string(b))
}

// Contains asserts that text has the part in it.
func (x *Test) Contains(what, text, part string) {
	x.Helper()
	if !strings.Contains(text, part) {
		x.Errorf("%s: %q has no %q", what, text, part)
	}
}

// ContainsNot asserts that text has not the part in it.
func (x *Test) ContainsNot(what, text, part string) {
	x.Helper()
	if strings.Contains(text, part) {
		x.Errorf("%s: %q has %q", what, text, part)
	}
}

// Code asserts the exit status.
func (x *Test) Code(r Result, want int) {
	x.Helper()
	if r.Code != want {
		x.Errorf("%v: want status %d", r, want)
	}
}
