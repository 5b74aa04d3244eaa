package display

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal keeps a few lines at the bottom that it draws anew: the steps that run,
// each with the last lines of its output. Above them a line stays for each step that
// is done.
type terminal struct {
	w       io.Writer
	start   time.Time
	running []*Step
	tails   map[*Step][]string
	begun   int
	ended   int
	above   []string // lines to be written for good
	drawn   int      // lines at the bottom now
	failed  bool
	closed  bool
}

// tailLines is how much output of a running step is shown.
const tailLines = 6

func newTerminal(w io.Writer, start time.Time) *terminal {
	return &terminal{w: w, start: start, tails: map[*Step][]string{}}
}

func (t *terminal) begin(s *Step) {
	t.begun++
	t.running = append(t.running, s)
}

func (t *terminal) line(s *Step, text []byte) {
	t.tails[s] = append(t.tails[s], printable(text))
	if extra := len(t.tails[s]) - tailLines; extra > 0 {
		t.tails[s] = t.tails[s][extra:]
	}
}

func (t *terminal) end(s *Step, how outcome, _ error) {
	t.ended++
	t.running = slices.DeleteFunc(t.running, func(r *Step) bool { return r == s })
	delete(t.tails, s)
	name := oneLine(s.name)
	switch how {
	case cached:
		name = "CACHED " + name
	case failed:
		// The error itself is shown in the end, with the lines of the Dockerfile.
		name, t.failed = "ERROR "+name, true
	}
	t.above = append(t.above, t.row(" => "+name, s.seconds()))
}

func (t *terminal) warn(text string) {
	t.above = append(t.above, cut(" => WARN: "+printable([]byte(text)), t.width()))
}

// tick writes what is new and draws the bottom again, in one write.
func (t *terminal) tick(last bool) {
	if t.closed {
		return
	}
	var b bytes.Buffer
	if t.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.drawn)
	}
	for _, line := range t.above {
		b.WriteString(line + "\n")
	}
	t.above = nil
	bottom := t.bottom(last)
	for _, line := range bottom {
		b.WriteString(line + "\n")
	}
	t.drawn, t.closed = len(bottom), last
	_, _ = t.w.Write(b.Bytes()) // progress is not worth failing for
}

func (t *terminal) bottom(last bool) []string {
	width, height := t.size()
	state := "Building"
	if last {
		state = "Built"
		if t.failed || len(t.running) > 0 {
			state = "Failed"
		}
	}
	lines := []string{cut(fmt.Sprintf("[+] %s %.1fs (%d/%d)", state, time.Since(t.start).Seconds(), t.ended, t.begun), width)}
	if last {
		return lines
	}
	for _, s := range t.running {
		lines = append(lines, t.row(" => "+oneLine(s.name), s.seconds()))
		for _, text := range t.tails[s] {
			lines = append(lines, cut(" => => # "+text, width))
		}
	}
	// What does not fit cannot be moved over again.
	if most := max(height-1, 1); len(lines) > most {
		lines = lines[:most]
	}
	return lines
}

// row is a name with seconds at the right edge.
func (t *terminal) row(name string, seconds float64) string {
	width := t.width()
	right := fmt.Sprintf(" %.1fs", seconds)
	name = cut(printable([]byte(name)), width-len(right))
	return name + strings.Repeat(" ", max(width-len(right)-utf8.RuneCountInString(name), 0)) + right
}

func (t *terminal) width() int {
	w, _ := t.size()
	return w
}

// size is that of the terminal; one column stays free, where a cursor would wrap.
func (t *terminal) size() (width, height int) {
	if f, ok := t.w.(*os.File); ok {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 20 {
			return int(ws.Col) - 1, int(ws.Row)
		}
	}
	return 79, 24
}

// cut shortens a line to a number of columns, counting characters.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:max(width-1, 0)]) + "…"
}

// printable is a line as it would be read: what a carriage return has overwritten is
// gone, and so are control characters and escape sequences, with which a command
// could write anywhere on the screen.
func printable(text []byte) string {
	text = bytes.TrimRight(text, "\r")
	if i := bytes.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] == 0x1b {
			i += escape(text[i:])
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		i += n
		switch {
		case r == '\t':
			b.WriteString("    ")
		case r == utf8.RuneError || r < ' ' || (r >= 0x7f && r < 0xa0):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escape is the length of an escape sequence (ECMA-48): CSI and OSC, or two bytes.
func escape(s []byte) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']':
		for i := 2; i < len(s); i++ {
			if s[i] == 7 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
