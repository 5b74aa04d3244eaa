// Package seccomp turns a seccomp profile of config.json into BPF bytes and keeps
// them in a cache, so that a container whose profile was seen before calls no
// libseccomp. It never loads a filter: the init stage does, with seccomp(2).
//
// Runs: parent.
package seccomp
