// Package cleanup is a stack of undo steps: a verb pushes one for everything it
// made, runs them all when it fails, and drops them when it succeeds.
//
// Runs: parent.
package cleanup

// Stack holds undo steps; the zero value is empty.
type Stack struct {
	undo []func()
}

// Add pushes an undo step.
func (s *Stack) Add(undo func()) { s.undo = append(s.undo, undo) }

// Run carries out the steps, last one first, and empties the stack. Deferred, it
// undoes everything unless Release came before.
func (s *Stack) Run() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

// Release drops the steps: what was made stays.
func (s *Stack) Release() { s.undo = nil }
