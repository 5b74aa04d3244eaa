package display

import (
	"bytes"
	"fmt"
	"io"
)

// around is how many lines are shown before and behind those that are meant.
const around = 3

// Excerpt shows lines of a Dockerfile, the ones from first to last marked.
func Excerpt(w io.Writer, name string, text []byte, first, last int) {
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	if first < 1 || first > len(lines) {
		return
	}
	last = min(max(last, first), len(lines))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s:%d\n--------------------\n", name, first)
	for n := max(1, first-around); n <= min(len(lines), last+around); n++ {
		mark := "   "
		if n >= first && n <= last {
			mark = ">>>"
		}
		fmt.Fprintf(&b, "%4d | %s %s\n", n, mark, bytes.TrimRight(lines[n-1], "\r"))
	}
	b.WriteString("--------------------\n")
	_, _ = w.Write(b.Bytes()) // it goes with an error, which is reported anyway
}

// Output shows the last output of a command, without what it could do to a terminal.
func Output(w io.Writer, text string) {
	if text == "" {
		return
	}
	var b bytes.Buffer
	b.WriteString("------\n")
	for line := range bytes.SplitSeq([]byte(text), []byte("\n")) {
		b.WriteString(printable(line) + "\n")
	}
	b.WriteString("------\n")
	_, _ = w.Write(b.Bytes()) // it goes with an error
}
