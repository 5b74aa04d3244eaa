package store

import (
	"path"
	"strings"

	"berth/internal/spelling"
)

// near returns the name that was probably meant, in its short form, or "".
func near(name string, known []string) string {
	name = short(name)
	best, least := "", 0
	for _, k := range known {
		k = short(k)
		d := spelling.Distance(name, k)
		switch repository(name) {
		// The right repository with another tag is what was meant, most of the
		// time; one of another registry, perhaps.
		case repository(k):
			d = min(d, 1)
		case path.Base(repository(k)):
			d = min(d, 2)
		default:
			if !spelling.Near(name, d) {
				continue
			}
		}
		if best == "" || d < least || d == least && k < best {
			best, least = k, d
		}
	}
	return best
}

// short is the name as a user writes it.
func short(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/library/"), "docker.io/")
}

func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}
