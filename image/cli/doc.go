// Package cli is the command line of the image side: one file per verb, which
// turns flags into an options struct, makes one call and prints what comes back.
// Of the packages below image it is the only one that prints to stdout.
//
// It runs in a process of its own, executed by berth with the arguments it was
// called with and --runtime-fd in front: a file descriptor of berth's own binary,
// for what needs the runtime. A verb's name and line also stand in
// internal/imageside/verbs.go, so that berth's help needs no second process; a test
// compares the two.
//
// Runs: the image program.
package cli
