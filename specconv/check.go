package specconv

import (
	"errors"
	"strings"
	"syscall"

	"berth/libcontainer/configs"
)

// Kind tells what sort of finding it is.
type Kind string

// The kinds of findings, worst first.
const (
	// Invalid is what the runtime specification forbids.
	Invalid Kind = "invalid"
	// Missing is what is not there: a mount source, a program, a hook.
	Missing Kind = "missing"
	// Unsupported is what this host, or this berth on it, cannot do.
	Unsupported Kind = "unsupported"
	// Ignored is what would be left out with a warning, and fields nobody knows.
	Ignored Kind = "ignored"
)

// Finding is one thing to be said about a config.
type Finding struct {
	Kind Kind `json:"kind"`
	// Path is where in config.json: "mounts[3].options"; empty: the whole file.
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Fault says that a container with this config is refused.
func (f *Finding) Fault() bool { return f.Kind != Ignored }

// Check says everything that Convert would refuse or leave out. It changes nothing.
// The configuration is complete only when there is no fault among the findings.
func Check(doc *Document, opts Options) (*configs.Config, []Finding) {
	var list []Finding
	if err := ValidateID(opts.ID); err != nil {
		list = append(list, NewFinding(err))
	}
	c := convert(doc, opts)
	for _, err := range c.faults {
		list = append(list, NewFinding(err))
	}
	for _, text := range c.warnings {
		list = append(list, Finding{Ignored, pathIn(text), text})
	}
	for _, path := range UnknownFields(doc.Data) {
		list = append(list, Finding{Ignored, path, "unknown field " + path + " ignored"})
	}
	return c.cfg, list
}

// NewFinding turns a fault into a finding: one with an errno of the kernel in it is
// the host's, or about a file that is missing.
func NewFinding(err error) Finding {
	f := Finding{Invalid, pathIn(err.Error()), err.Error()}
	var lack *Lack
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ENOENT):
		f.Kind = Missing
	case errors.As(err, &lack) || errors.As(err, &errno):
		f.Kind = Unsupported
	}
	return f
}

// sections are the fields of config.json that a path can begin with.
var sections = [...]string{
	"ociVersion", "root", "mounts", "process", "hostname", "domainname", "hooks", "annotations", "linux",
	"solaris", "windows", "vm", "zos", "freebsd",
}

// pathIn returns the first JSON path in a sentence, "" when there is none: every
// sentence about a field names it (TestFaultsHavePaths).
func pathIn(text string) string {
	for text != "" {
		text = strings.TrimLeft(text, " \"(")
		path, rest := cutPath(text)
		if path != "" {
			return path
		}
		text = rest
	}
	return ""
}

// cutPath returns the path that text begins with, or the text behind its first word.
func cutPath(text string) (path, rest string) {
	end := pathEnd(text)
	for _, section := range sections {
		after, ok := strings.CutPrefix(text[:end], section)
		if ok && (after == "" || after[0] == '.' || after[0] == '[') {
			return text[:end], ""
		}
	}
	_, rest, _ = strings.Cut(text, " ")
	return "", rest
}

// pathEnd is where the path at the beginning of text ends. A key in brackets and
// quotes may hold anything.
func pathEnd(text string) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-':
		case c == '.' && i+1 < len(text) && text[i+1] != ' ':
		case c == '[':
			n := bracketed(text[i:])
			if n == 0 {
				return i
			}
			i += n - 1
		default:
			return i
		}
	}
	return len(text)
}

// bracketed is the length of the [N] or ["key"] that text begins with, 0 if it is none.
func bracketed(text string) int {
	closing := "]"
	from := 1
	if strings.HasPrefix(text, `["`) {
		closing, from = `"]`, 2
	}
	i := strings.Index(text[from:], closing)
	if i < 0 {
		return 0
	}
	return from + i + len(closing)
}
