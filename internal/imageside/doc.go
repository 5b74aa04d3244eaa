// Package imageside executes the image program, a binary of its own that is embedded
// in berth's (internal/embedded), for the verbs that are about images.
//
// It links a registry client, a Dockerfile parser and net/http: 77 packages more to
// initialise, 3–4 ms of every `berth state`, if it were not a program of its own.
//
// Runs: parent.
package imageside
