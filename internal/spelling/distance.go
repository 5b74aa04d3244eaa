// Package spelling says how far two words are from each other: for hints at what was
// perhaps meant.
//
// Runs: parent, image program.
package spelling

// Distance counts the letters to insert, delete, replace, or swap with their
// neighbour to turn a into b (the optimal string alignment).
func Distance(a, b string) int {
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

// Near tells whether a distance from a word is that of a slip: more than a third of
// the letters are another word.
func Near(word string, distance int) bool { return distance <= len(word)/3 }
