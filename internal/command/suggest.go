package command

import (
	"strings"

	"berth/internal/spelling"
)

// Suggest names what was probably meant, or returns otherwise. Of two names as
// near the one that goes on where the typed one ends is better.
func Suggest(name string, known []string, prefix, otherwise string) string {
	best, least := "", 0
	for _, k := range known {
		if len(k) < 2 {
			continue
		}
		d := spelling.Distance(name, k)
		if !spelling.Near(name, d) {
			continue
		}
		if best == "" || d < least || d == least && strings.HasPrefix(k, name) {
			best, least = k, d
		}
	}
	if best == "" {
		return otherwise
	}
	return "did you mean " + prefix + best + "?"
}
