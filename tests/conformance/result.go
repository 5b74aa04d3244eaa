package conformance

import (
	"fmt"
	"strings"
)

// result is what one program reported.
type result struct {
	ok, notOK int
	// errors are the "error" diagnostics of failed assertions, and of programs
	// that assert nothing and report failure that way alone.
	errors []string
	// exit is the exit status, or why there was none; empty for 0.
	exit string
	// failed are the descriptions of the assertions that failed.
	failed []string
	output string
}

// parse reads the output of a program. It is TAP in name only: the diagnostics are
// JSON in YAML blocks, and runtimetest's own output is quoted in them, so only
// lines that begin at column 0 count.
//
// The diagnostic of an assertion that holds may carry an "error" too: the one the
// program expected of the runtime.
func parse(output string) result {
	r := result{output: output}
	holds := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "not ok ") {
			r.notOK++
			r.failed = append(r.failed, line)
			holds = false
			continue
		}
		if strings.HasPrefix(line, "ok ") {
			r.ok++
			holds = true
			continue
		}
		text, found := strings.CutPrefix(strings.TrimSpace(line), `"error": `)
		if found && !holds {
			r.errors = append(r.errors, strings.Trim(text, `",`))
		}
	}
	return r
}

// clean says that nothing failed, in whichever way the program reports it.
func (r result) clean() bool {
	return r.notOK == 0 && r.exit == "" && len(r.errors) == 0
}

// String is the result in one line.
func (r result) String() string {
	text := fmt.Sprintf("%d ok", r.ok)
	if r.notOK > 0 {
		text += fmt.Sprintf(", %d not ok", r.notOK)
	}
	if r.exit != "" {
		text += ", " + r.exit
	}
	if r.notOK == 0 && len(r.errors) > 0 {
		text += ", error reported"
	}
	return text
}

// detail names what failed, one line each; of a program that died without a word
// about it, the end of its output.
func (r result) detail() string {
	lines := append(append([]string{}, r.failed...), r.errors...)
	if r.exit != "" || len(lines) == 0 {
		const most = 1500
		lines = append(lines, strings.TrimSpace(r.output[max(0, len(r.output)-most):]))
	}
	var text strings.Builder
	for _, line := range lines {
		for part := range strings.Lines(line) {
			text.WriteString("        " + strings.TrimRight(part, "\n") + "\n")
		}
	}
	return text.String()
}
