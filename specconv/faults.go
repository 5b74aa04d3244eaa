package specconv

import (
	"fmt"
	"strconv"
	"strings"
)

// ConfigErrors is everything wrong with a config, in the order of discovery. One
// fault reads as a sentence of its own. errors.Is looks into each.
type ConfigErrors []error

// Error joins the faults in one line, for engines read logs line by line.
func (f ConfigErrors) Error() string {
	if len(f) == 1 {
		return f[0].Error()
	}
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(f)))
	b.WriteString(" faults in the configuration: ")
	for i, err := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see every fault.
func (f ConfigErrors) Unwrap() []error { return f }

// Lack is a fault of the host rather than of the config.
type Lack struct{ err error }

func (l *Lack) Error() string { return l.err.Error() }

// Unwrap gives errors.Is access to the cause.
func (l *Lack) Unwrap() error { return l.err }

// findings collects faults and warnings while a config is converted.
type findings struct {
	faults   ConfigErrors
	warnings []string
	notes    []string
}

// fault records a sentence; %w works.
func (f *findings) fault(format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf(format, args...))
}

// lack records what the spec allows and this host, or this berth, cannot do.
func (f *findings) lack(format string, args ...any) {
	f.faults = append(f.faults, &Lack{fmt.Errorf(format, args...)})
}

// warn records something that is left out, and why.
func (f *findings) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

// note records something worth knowing at --debug.
func (f *findings) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// err is nil when there is no fault.
func (f *findings) err() error {
	if len(f.faults) == 0 {
		return nil
	}
	return f.faults
}

// at renders path[i] for a fault about an array element.
func at(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}
