// Package imageside holds the image program, a binary of its own that is embedded
// in berth's (build tag image), and executes it for the verbs that are about images.
//
// Why a second program: Go initialises every package that is linked, and the image
// side links a registry client, a Dockerfile parser and net/http: 77 packages more,
// 3–4 ms of every `berth state`. As embedded bytes it costs nothing until it is
// asked for, and berth stays one file.
//
// Runs: parent.
package imageside
