// Package host finds out what this machine can do for containers: each answer is
// a yes or no with its reason. `berth info` prints them all, `berth validate` and
// the hints of errors ask for some.
//
// It changes nothing: where a system call can be asked without effect it is asked,
// else the kernel's own files, and its version last.
//
// Runs: parent.
package host
