package harness

import (
	"fmt"
	"os"
	"strings"
)

// Mount is one line of mountinfo.
type Mount struct {
	ID, Parent           string
	Root, Point          string
	Options              string // of the mount
	Propagation          string // optional fields, space separated
	Type, Source         string
	SuperOptions, Device string
}

// Has says that the mount or its super block has the option.
func (m Mount) Has(option string) bool {
	return strings.Contains(","+m.Options+",", ","+option+",") ||
		strings.Contains(","+m.SuperOptions+",", ","+option+",")
}

// ReadMounts parses a mountinfo file.
func ReadMounts(path string) ([]Mount, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var mounts []Mount
	for line := range strings.Lines(string(text)) {
		left, right, ok := strings.Cut(line, " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !ok || len(before) < 6 || len(after) < 2 {
			return nil, fmt.Errorf("%s: unknown line %q", path, line)
		}
		m := Mount{
			ID: before[0], Parent: before[1], Device: before[2],
			Root: unescape(before[3]), Point: unescape(before[4]), Options: before[5],
			Propagation: strings.Join(before[6:], " "),
			Type:        after[0], Source: unescape(after[1]),
		}
		if len(after) > 2 {
			m.SuperOptions = after[2]
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// unescape undoes the octal escapes of proc(5) mount tables.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
