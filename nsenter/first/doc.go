// Package first is what has to come before any other package is initialised: it
// remembers the RLIMIT_NOFILE that berth was started with, and gives the main goroutine
// the stack that it will need. Go initialises it first because it imports nothing but
// unsafe; the raw system call is taken from where package syscall takes it.
//
// Runs: parent and stage 2, before anything else.
package first
