package store

import "strings"

// near returns the name that was probably meant, in its short form, or "".
func near(name string, known []string) string {
	name = short(name)
	best, least := "", len(name)/3+1 // more edits than a third are another word
	for _, k := range known {
		k = short(k)
		d := edits(name, k)
		// The right repository with another tag is what was meant, most of the time.
		if repository(k) == repository(name) {
			d = min(d, 1)
		}
		if d < least || d == least && best != "" && k < best {
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

// edits counts the letters to insert, delete or replace to turn a into b.
func edits(a, b string) int {
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
		}
		last = row
	}
	return last[len(b)]
}
