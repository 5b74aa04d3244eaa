package command

import "strings"

// Suggest names what was probably meant, or returns otherwise. Of two names as
// near the one that goes on where the typed one ends is better.
func Suggest(name string, known []string, prefix, otherwise string) string {
	best, least := "", len(name)/3+1 // more edits than a third are another word
	for _, k := range known {
		if len(k) < 2 {
			continue
		}
		d := distance(name, k)
		if d < least || d == least && (best == "" || strings.HasPrefix(k, name)) {
			best, least = k, d
		}
	}
	if best == "" {
		return otherwise
	}
	return "did you mean " + prefix + best + "?"
}

// distance counts the letters to insert, delete, replace, or swap with their
// neighbour to turn a into b (the optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
