// Package libcontainer is the container and its verbs as the parent carries them
// out: one file per verb (create.go, start.go, run.go, exec.go, kill.go, …).
// internal/cli calls it and nothing else does. It decides and records; launch
// starts processes, boot acts inside, cgroups limit, state remembers.
//
// Runs: parent.
package libcontainer
