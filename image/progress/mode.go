package progress

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mode is how progress is shown.
type Mode int

const (
	// Auto is Bars on a terminal, else Plain.
	Auto Mode = iota
	// Bars are lines that are drawn anew in place.
	Bars
	// Plain are lines that are written once: for logs.
	Plain
	// JSON is one object per line, see Event.
	JSON
	// Quiet shows nothing.
	Quiet
)

// ParseMode reads the value of --progress.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "auto", "":
		return Auto, nil
	case "bars", "tty":
		return Bars, nil
	case "plain":
		return Plain, nil
	case "json", "rawjson":
		return JSON, nil
	case "quiet", "none":
		return Quiet, nil
	}
	return Auto, fmt.Errorf("progress %q: it is one of auto, bars, plain, json, quiet", s)
}

// resolve turns Auto into what fits the stream. A terminal that calls itself dumb
// cannot move its cursor, and one without a size (a pty that nobody looks at) has no
// line to draw on.
func (m Mode) resolve(w *os.File) Mode {
	if m != Auto {
		return m
	}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		return Bars
	}
	return Plain
}

func isTerminal(w *os.File) bool {
	if w == nil {
		return false
	}
	size, err := unix.IoctlGetWinsize(int(w.Fd()), unix.TIOCGWINSZ)
	return err == nil && size.Row > 0 && size.Col > 0
}
