package cli

import "runtime"

// oneAtATime is for verbs that make a process: they do one thing after the other, and
// where there is a second P the Go runtime wakes a thread at every turn, to look for work
// that is not there.
func oneAtATime() { runtime.GOMAXPROCS(1) }
